"""Which deployment a command talks to, and what is said where that is not clear."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from retrace.problem import Exit, Problem
from retrace.target import STORAGE, Target
from retrace.target_resolution import Chosen, config_file, find_target, names_of_profiles
from tests.unit.cli.scripted_api import exit_code, routes, said, serving

URL = "https://abc123.execute-api.eu-west-1.amazonaws.com/api"
PROFILES = f"""
[default]
url = "{URL}/"
stack = "retrace-prod"

[staging]
url = "https://staging.example/api"
region = "eu-central-1"
aws_profile = "shop"
raw_bucket = "shop-raw"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A directory for configuration, with profiles in it."""
    path = config_file({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    path.parent.mkdir(parents=True)
    path.write_text(PROFILES)
    return tmp_path / "config"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory below one in which `make up` wrote down a stack."""
    stack = {"api_url": "http://127.0.0.1:4566/api", "region": "eu-west-1", "aws_endpoint_url": "http://127.0.0.1:4566"}
    stack |= {
        "access_key_id": "AKIALOCAL",
        "secret_access_key": "secret",
        "dead_letter_queue_url": "http://localhost/q/dead",
    }
    inner = tmp_path / "checkout/below"
    inner.mkdir(parents=True)
    (tmp_path / "checkout/.retrace").mkdir()
    (tmp_path / "checkout/.retrace/local.json").write_text(json.dumps(stack | {name: f"a-{name}" for name in STORAGE}))
    return inner


def told_by(call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as raised:
        call()
    return raised.value


def problem_of(chosen: Chosen, environment: dict[str, str], directory: Path) -> Problem:
    return told_by(lambda: find_target(chosen, environment, directory))


@pytest.mark.parametrize(
    ("chosen", "environment", "url"),
    [
        (Chosen(url="https://a.example/x/"), {"RETRACE_URL": URL, "RETRACE_PROFILE": "staging"}, "https://a.example/x"),
        (Chosen(profile="staging"), {"RETRACE_URL": URL, "RETRACE_PROFILE": "default"}, "https://staging.example/api"),
        (Chosen(), {"RETRACE_URL": "https://b.example", "RETRACE_PROFILE": "staging"}, "https://b.example"),
        (Chosen(), {"RETRACE_PROFILE": "staging"}, "https://staging.example/api"),
        (Chosen(), {}, URL),
        (Chosen(), {"RETRACE_URL": "", "RETRACE_PROFILE": ""}, URL),
    ],
    ids=["--url", "--profile", "RETRACE_URL", "RETRACE_PROFILE", "default profile", "empty variables"],
)
def test_what_comes_first_counts(
    config: Path, checkout: Path, chosen: Chosen, environment: dict[str, str], url: str
) -> None:
    assert find_target(chosen, {"XDG_CONFIG_HOME": str(config), **environment}, checkout).url == url


def test_the_local_stack_is_what_is_left(checkout: Path) -> None:
    target = find_target(Chosen(), {"XDG_CONFIG_HOME": "/nonexistent"}, checkout)

    assert (target.url, target.credentials.access_key) == ("http://127.0.0.1:4566/api", "AKIALOCAL")
    assert target.stored_in("raw_bucket") == "a-raw_bucket"
    assert target.known("dead_letter_queue_url") == "http://localhost/q/dead"
    assert target.known("replay_queue_url") is None


def test_the_url_of_the_local_stack_is_opened_by_its_key(checkout: Path) -> None:
    environment = {"XDG_CONFIG_HOME": "/nonexistent", "RETRACE_URL": "http://127.0.0.1:4566/api/"}

    assert find_target(Chosen(), environment, checkout).is_local
    assert not find_target(Chosen(url="http://127.0.0.1:4567/api"), environment, checkout).is_local


def test_a_profile_says_where_things_are_and_options_say_otherwise(config: Path, checkout: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(config)}
    target = find_target(Chosen(profile="staging"), environment, checkout)
    other = find_target(Chosen(profile="staging", region="us-east-1", stack="s"), environment, checkout)

    assert (target.region, target.aws_profile, target.storage) == ("eu-central-1", "shop", {"raw_bucket": "shop-raw"})
    assert (other.signing_region, other.stack) == ("us-east-1", "s")
    assert find_target(Chosen(), environment, checkout).signing_region == "eu-west-1"  # as its URL says
    assert names_of_profiles(environment) == ["default", "staging"]


def test_nothing_to_go_by_says_all_ways(tmp_path: Path) -> None:
    problem = problem_of(Chosen(), {"XDG_CONFIG_HOME": str(tmp_path)}, tmp_path)

    assert problem.exit_code == Exit.UNREACHABLE
    for way in ("--url", "RETRACE_URL", str(tmp_path / "retrace/config.toml"), "make up"):
        assert way in problem.remedy


def test_a_profile_that_is_not_there_says_which_are(config: Path, tmp_path: Path) -> None:
    problem = problem_of(Chosen(profile="prod"), {"XDG_CONFIG_HOME": str(config)}, tmp_path)

    assert "prod" in problem.what
    assert "default, staging" in problem.remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[default\n", "cannot be read"),
        ("[default]\nregion = 'eu-west-1'\n", "no profile default with a url"),
        ("[default]\nurl = 'https://a.example'\nregoin = 'x'\n", "a wrong regoin"),
        ("[default]\nurl = 5\n", "a wrong url"),
        ("[default]\nurl = 'retrace.example'\n", "retrace.example"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_path(config: Path, tmp_path: Path, text: str, told: str) -> None:
    path = config / "retrace/config.toml"
    path.write_text(text)
    problem = problem_of(Chosen(), {"XDG_CONFIG_HOME": str(config)}, tmp_path)

    assert told in problem.what
    assert str(path) in problem.what + problem.remedy


@pytest.mark.parametrize("url", ["retrace.example", "ftp://a.example", "https://", "https://[", "https://a/?x=1"])
def test_a_url_that_cannot_be_one_is_wrong_usage(tmp_path: Path, url: str) -> None:
    problem = problem_of(Chosen(url=url), {}, tmp_path)

    assert problem.exit_code == Exit.USAGE
    assert url in problem.what


def test_two_targets_are_wrong_usage(tmp_path: Path) -> None:
    assert problem_of(Chosen(url=URL, profile="staging"), {}, tmp_path).exit_code == Exit.USAGE


def without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def test_without_credentials_nothing_is_asked_and_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_credentials(monkeypatch, tmp_path)
    problem = told_by(lambda: Target(URL, "--url").credentials)

    assert problem.exit_code == Exit.UNREACHABLE
    assert "aws sso login" in problem.remedy


def test_half_a_key_and_an_unknown_profile_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_credentials(monkeypatch, tmp_path)
    unknown = told_by(lambda: Target(URL, "--url", aws_profile="nobody").credentials)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHALF")
    half = told_by(lambda: Target(URL, "--url").credentials)

    assert "nobody" in unknown.what
    assert "AWS_SECRET_ACCESS_KEY" in half.what
    assert {unknown.exit_code, half.exit_code} == {Exit.UNREACHABLE}


def test_a_region_that_nothing_says_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    assert "--region" in told_by(lambda: Target("https://a.example", "--url").signing_region).remedy


def test_storage_that_nothing_names_says_how_to_name_it() -> None:
    problem = told_by(lambda: Target(URL, "--url").stored_in("raw_bucket"))

    assert "--stack" in problem.remedy
    assert "raw_bucket" in problem.remedy


def test_the_command_line_hands_its_options_on() -> None:
    with serving(routes({"GET /rejected": (200, {"items": [], "cursor": None})})) as api:
        good = api.run("--url", api.url, "rejected", "list")
        wrong = api.run("--url", "nowhere", "rejected", "list")

    assert exit_code(good) == Exit.DONE
    assert (exit_code(wrong), "nowhere" in said(wrong)) == (Exit.USAGE, True)


def test_files_with_a_byte_order_mark_are_read(config: Path, checkout: Path) -> None:
    empty, profiles = {"XDG_CONFIG_HOME": str(config / "empty")}, {"XDG_CONFIG_HOME": str(config)}
    local, profile = find_target(Chosen(), empty, checkout), find_target(Chosen(profile="staging"), profiles, checkout)
    for path in (checkout.parent / ".retrace/local.json", config_file(profiles)):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert find_target(Chosen(), empty, checkout) == local
    assert find_target(Chosen(profile="staging"), profiles, checkout) == profile
