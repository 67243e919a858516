"""Which file of a local stack the command line trusts, and what it says of one that it does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrace.local_stack import LOCAL_FILE, USER, local_stack
from retrace.problem import Exit, Problem
from retrace.target import STORAGE
from retrace.target_resolution import Chosen, find_target

STACK: dict[str, Any] = {
    "api_url": "http://127.0.0.1:4566/_aws/execute-api/abc/api",
    "aws_endpoint_url": "http://127.0.0.1:4566",
    "dead_letter_queue_url": "http://localhost:4566/000000000000/dead",
    "region": "eu-west-1",
    "access_key_id": "AKIALOCAL",
    "secret_access_key": "secret",
    "digest_key_arn": "",
    **{name: f"a-{name}" for name in STORAGE},
}
ABSENT = object()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, outside of which `tmp_path` has other directories."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    return directory


def written(directory: Path, **changed: object) -> Path:
    path = directory / LOCAL_FILE
    path.parent.mkdir(parents=True)
    content = {name: value for name, value in {**STACK, **changed}.items() if value is not ABSENT}
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path


def refusal(directory: Path, user: int | None = USER) -> Problem:
    """What is said, which always has the path, the exit status of a target that cannot be had, and a way out."""
    with pytest.raises(Problem) as raised:
        local_stack(directory, user)
    problem = raised.value
    assert str(directory / LOCAL_FILE) in problem.what
    assert "make up" in problem.remedy
    assert "--url" in problem.remedy
    assert problem.exit_code == Exit.UNREACHABLE
    return problem


def test_trusts_a_private_file_of_the_same_owner_with_loopback_addresses(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "yours")
    path = written(home)
    found = local_stack(home)

    assert found is not None
    assert (found.url, found.found_in, found.is_local) == (STACK["api_url"], str(path), True)
    assert found.known("dead_letter_queue_url") == STACK["dead_letter_queue_url"]
    assert (found.credentials.access_key, found.credentials.token) == ("AKIALOCAL", None)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o622])
def test_refuses_a_file_that_others_may_write(home: Path, mode: int) -> None:
    written(home).chmod(mode)

    assert f"{mode:04o}" in refusal(home).what


def test_a_file_that_others_may_only_read_is_trusted(home: Path) -> None:
    written(home).chmod(0o644)

    assert local_stack(home) is not None


def test_refuses_a_file_of_another_user(home: Path) -> None:
    owner = written(home).stat().st_uid

    assert f"uid {owner}" in refusal(home, user=owner + 1).what


def test_does_not_ask_for_the_owner_where_users_have_no_numbers(home: Path) -> None:
    written(home)

    assert local_stack(home, user=None) is not None


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.json"))
    path.symlink_to("elsewhere.json")


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.json")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("made", [link, dangle, pipe, folder])
def test_refuses_a_file_that_is_not_regular_and_does_not_wait_for_it(home: Path, made: Callable[[Path], None]) -> None:
    made(written(home))

    assert "is not a regular file" in refusal(home).what


@pytest.mark.parametrize("name", ["api_url", "aws_endpoint_url", "dead_letter_queue_url", "some_new_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example:4566/api",
        "http://192.168.1.7:4566",
        "http://0.0.0.0:4566",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://localhost.evil.example/",
        "http://127.0.0.1:4566\n.evil.example/",
        "//127.0.0.1:4566",
        "file:///etc/passwd",
        "",
        None,
        5,
        ["http://127.0.0.1"],
    ],
)
def test_refuses_addresses_that_are_not_on_this_machine(home: Path, name: str, url: object) -> None:
    written(home, **{name: url})

    assert name in refusal(home).what


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "http://localhost/api", "http://[::1]:4566/api"])
def test_takes_every_name_of_the_loopback(home: Path, url: str) -> None:
    written(home, api_url=url)
    found = local_stack(home)

    assert found is not None
    assert found.url == url


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key", "region", "raw_bucket", "digest_key_arn"])
@pytest.mark.parametrize("value", [None, 5, [], {"a": "b"}, True])
def test_refuses_values_that_are_not_text(home: Path, name: str, value: object) -> None:
    written(home, **{name: value})

    assert name in refusal(home).what


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key", "region", "api_url", "aws_endpoint_url"])
@pytest.mark.parametrize("value", [ABSENT, "", None])
def test_without_its_own_keys_it_never_signs_with_yours(home: Path, name: str, value: object) -> None:
    written(home, **{name: value})

    assert name in refusal(home).what


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "\xff"])
def test_refuses_a_file_that_is_not_a_json_object(home: Path, text: str) -> None:
    written(home).write_bytes(text.encode("latin-1"))

    assert "cannot be read" in refusal(home).what


def test_looks_in_the_directories_above_up_to_the_home_directory(home: Path) -> None:
    inner = home / "project/deep"
    inner.mkdir(parents=True)
    written(home.parent)
    assert local_stack(inner) is None

    path = written(home)
    found = local_stack(inner)
    assert found is not None
    assert found.found_in == str(path)


def test_a_home_that_is_a_link_is_the_end_too(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "linked").symlink_to(home)
    monkeypatch.setenv("HOME", str(tmp_path / "linked"))
    written(home.parent)

    assert local_stack(home) is None


@pytest.mark.parametrize("repository", [Path.mkdir, Path.touch], ids=["a repository", "a worktree"])
def test_looks_no_further_than_the_root_of_the_repository(home: Path, repository: Callable[[Path], None]) -> None:
    root = home / "project"
    inner = root / "deep"
    inner.mkdir(parents=True)
    repository(root / ".git")
    written(home)
    assert local_stack(inner) is None

    written(root)
    assert local_stack(inner) is not None


def test_outside_of_home_and_repositories_it_looks_up_to_the_top(tmp_path: Path) -> None:
    inner = tmp_path / "elsewhere/deep"
    inner.mkdir(parents=True)
    written(tmp_path / "elsewhere")

    assert local_stack(inner) is not None


def test_an_untrusted_file_does_not_block_another_target(home: Path) -> None:
    written(home, access_key_id=None)
    environment = {"XDG_CONFIG_HOME": "/nonexistent"}

    assert find_target(Chosen(url="https://a.example/api"), environment, home).url == "https://a.example/api"
    with pytest.raises(Problem):
        find_target(Chosen(url=str(STACK["api_url"])), environment, home)
    with pytest.raises(Problem):
        find_target(Chosen(), environment, home)
