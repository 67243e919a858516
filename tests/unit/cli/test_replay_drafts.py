"""`retrace replay create --draft FILE`: a what-if, and the command that compares it with the newest version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.replays.request_body import parse_with_drafts
from retrace import replay_request
from tests.unit.cli.replay_answers import REPLAY_ID, REQUEST, job, preview
from tests.unit.cli.scripted_api import Asked, Script, exit_code, said, serving
from tests.unit.cli.test_aggregates_command import OLD, day, version
from tests.unit.cli.test_replay_command import DAY, PREVIEWED, requests, takes

Json = dict[str, Any]

DRAFT = """
metrics:
  - name: revenue
    aggregate: sum
    value: /net
    where:
      - {path: /rate, equals: 1.10}
"""
NAMED: Json = {"name": "revenue", "definition_sha256": "ab" * 32}
WHAT_IF = {"request": REQUEST | {"metrics": [NAMED]}, "metrics": [NAMED]}


@pytest.fixture
def draft(tmp_path: Path) -> str:
    file = tmp_path / "draft.yaml"
    file.write_text(DRAFT)
    return str(file)


def api(*versions: Json, state: str = "COMPLETE") -> Script:
    done = job(state, what_if=True, **WHAT_IF)
    known = {"GET /aggregates": (200, day(*versions)), f"GET /replay/{REPLAY_ID}": (200, done)}
    return takes(preview(3, **WHAT_IF), (202, job("PLANNING", what_if=True, **WHAT_IF)), **known)


def sent_texts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies as they are sent, which a parsed answer no longer shows."""
    texts: list[bytes] = []
    written = replay_request.body_of

    def kept(body: Json) -> bytes:
        texts.append(written(body))
        return texts[-1]

    monkeypatch.setattr(replay_request, "body_of", kept)
    return texts


def test_is_sent_as_it_is_written_and_beside_metrics_that_are_named(
    draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sent_texts(monkeypatch)
    with serving(api()) as scripted:
        result = scripted.run(*DAY, "--draft", draft, "--metric", "refunds", "--yes")
        (sent,) = requests(scripted.asked)

    assert exit_code(result) == 0
    assert sent.body["metrics"][0] == "refunds"
    [parsed] = parse_with_drafts(texts[-1]).drafts
    assert parsed.canonical == json.dumps(sent.body["metrics"][1], separators=(",", ":")).replace("1.1", "1.10")


def test_is_previewed_as_a_what_if(draft: str) -> None:
    with serving(api()) as scripted:
        result = scripted.run(*PREVIEWED, "--draft", draft, "--table")
        [asked] = scripted.asked

    assert (asked.query, [each["name"] for each in asked.body["metrics"]]) == ({"dry_run": "true"}, ["revenue"])
    assert "It computes revenue." in result.stdout
    assert "This is a what-if: its versions are listed behind all others" in result.stdout


def test_a_what_if_makes_no_newest_version_partial(draft: str) -> None:
    window = ("--since", "2025-11-28T10:00", "--until", "12:00")
    with serving(api()) as scripted:
        result = scripted.run("replay", "preview", "depot-lyon", *window, "--draft", draft, "--table")

    assert "will be partial" not in result.stdout


@pytest.mark.parametrize(("wait", "told"), [("--wait", "What came of it"), ("--no-wait", "Once it is complete")])
def test_ends_with_the_command_that_compares_it_with_the_newest_version(draft: str, wait: str, told: str) -> None:
    with serving(api(version(OLD, 3, metrics=[NAMED]))) as scripted:
        result = scripted.run(*DAY, "--draft", draft, "--yes", wait)

    command = f"retrace aggregates diff depot-lyon 2025-11-28 {OLD} {REPLAY_ID} --metric revenue"
    assert result.stderr.splitlines()[-1] == f"{told}: {command}"


@pytest.mark.parametrize("versions", [[], [version(OLD, 3)], [version(OLD, 3, metrics=[NAMED], what_if=True)]])
def test_shows_the_value_if_no_version_has_such_a_metric(draft: str, versions: list[Json]) -> None:
    with serving(api(*versions)) as scripted:
        result = scripted.run(*DAY, "--draft", draft, "--yes", "--wait")

    assert result.stderr.splitlines()[-1].endswith("retrace aggregates get depot-lyon 2025-11-28 --metric revenue")


def test_a_draft_of_another_time_zone_is_compared_on_the_day_that_begins_there(tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(DRAFT + "    time_zone: America/New_York\n")

    def asked_of(asked: list[Asked]) -> Json:
        return next(each.query for each in asked if each.call == "GET /aggregates")

    with serving(api(version(OLD, 3, metrics=[NAMED]))) as scripted:
        result = scripted.run(*DAY, "--draft", str(file), "--yes", "--wait")
        query = asked_of(scripted.asked)

    assert (query["day"], query["calendar"]) == ("2025-11-27", "America/New_York")
    assert result.stderr.splitlines()[-1].endswith("--metric revenue --calendar America/New_York")


def test_a_file_with_faults_sends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text("metrics:\n  - {name: revenue, aggregate: sum}\n")
    with serving(api()) as scripted:
        result = scripted.run(*DAY, "--draft", str(file), "--yes")

    assert exit_code(result) == 2
    assert "draft.yaml" in said(result)
    assert scripted.asked == []
