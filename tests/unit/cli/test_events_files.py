"""`retrace replay create --events FILE`: every line is an id or is named, and the file is uploaded once."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.replays.events_file import content_of
from retrace import events_file
from retrace.events_file import _ranges
from tests.unit.cli.replay_answers import job, preview
from tests.unit.cli.scripted_api import BROKEN, Answer, ScriptedApi, exit_code, routes, said, serving

A, B = ("a" * 64, "b" * 64)
CONTENT = content_of([A, B])
NAME = sha256(CONTENT).hexdigest()
OFFER, UPLOAD = f"PUT /events-files/{NAME}", "PUT /upload"
COUNTED = {"bytes": 130, "events": 2, "not_found": 1, "not_found_ids": [B]}
REQUEST = {"events_file": NAME}


def answers(api: ScriptedApi, *uploads: Answer, there: bool = False, **counted: Any) -> None:
    """Have an API offer an upload to itself, and answer uploads one after the other."""
    url = api.url.removesuffix("/api") + "/upload"
    offer = {"method": "PUT", "url": url, "headers": {"x-amz-checksum-sha256": "hash"}, "expires_at": "later"}
    previewed = {**preview(1), "request": REQUEST, "events_file": COUNTED, **counted}
    answered = routes(
        {
            OFFER: (200, {"events_file": NAME, "upload": None if there else offer}),
            UPLOAD: list(uploads) or [(200, None)],
            "POST /replay": (202, job("PLANNING", request=REQUEST, not_found=1)),
        }
    )
    api.script = lambda asked: (200, previewed) if asked.query.get("dry_run") else answered(asked)


def create(api: ScriptedApi, file: Path | str, *options: str, stdin: bytes | None = None) -> Any:
    return api.run("replay", "create", "--events", str(file), "--yes", *options, stdin=stdin)


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    """A file with an id twice, an empty line, JSON beside plain ids, and not in order."""
    file = tmp_path / "ids.txt"
    file.write_text(f"{B}\n\n  {A}\r\n" + json.dumps({"event_id": A, "amount": 12}) + "\n")
    return file


def test_the_ids_of_a_file_are_uploaded_sorted_and_once_and_named_by_their_hash(ids: Path) -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api)
        result = create(api, ids, "--destination", "billing")

    assert exit_code(result) == 0
    [offer], [upload] = api.calls(OFFER), api.calls(UPLOAD)
    assert offer.query == {"events": "2"}
    assert (upload.body, upload.headers["x-amz-checksum-sha256"]) == (CONTENT, "hash")
    assert "authorization" not in upload.headers
    sent = api.calls("POST /replay")
    assert [asked.body for asked in sent] == [
        {**REQUEST, "destination": "billing"},
        {**REQUEST, "destination": "billing", "confirm": 1},
    ]


def test_what_the_file_names_and_what_does_not_exist_is_shown_before_anything_is_sent(ids: Path) -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api)
        result = create(api, ids)

    assert f"The file names 2 events (130 bytes). 1 of them does not exist: {B}" in result.stderr
    assert json.loads(result.stdout)["not_found"] == 1


def test_a_file_that_is_there_is_not_uploaded_again(ids: Path) -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api, there=True)
        result = create(api, ids)

    assert exit_code(result) == 0
    assert api.calls(UPLOAD) == []


def test_ids_come_from_standard_input_too() -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api)
        result = create(api, "-", stdin=f"\ufeff{A}\n{B}".encode())

    assert exit_code(result) == 0
    assert api.calls(UPLOAD)[0].body == CONTENT


def test_every_line_without_an_id_is_named_with_its_number_and_nothing_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    wrong = ["x", A[:-1], A.upper(), '{"event_id": 5}', "{", '{"id": "a"}']
    file.write_text("\n".join([wrong[0], A, *wrong[1:], B, f'"{A}"']))

    with serving(lambda _: (500, None)) as api:
        result = create(api, file)

    assert exit_code(result) == 2
    assert f"{file} has 7 lines without an event id: 1, 3 to 7, 9." in said(result)
    assert "64 lowercase hexadecimal digits" in said(result)
    assert api.asked == []


@given(st.sets(st.integers(1, 60)))
def test_ranges_say_every_number_once(numbers: set[int]) -> None:
    said_numbers: list[int] = []
    for part in _ranges(sorted(numbers)):
        first, _, last = part.partition(" to ")
        said_numbers += range(int(first), int(last or first) + 1)

    assert said_numbers == sorted(numbers)


@pytest.mark.parametrize(("content", "told"), [("", "names 0 events"), ("\n\n", "names 0 events")])
def test_a_file_without_ids_is_refused(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "ids.txt"
    file.write_text(content)

    with serving(lambda _: (500, None)) as api:
        result = create(api, file)

    assert exit_code(result) == 2
    assert told in said(result)


def test_more_ids_than_a_file_takes_are_refused_with_the_command_that_splits_them(
    ids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_file, "MAX_EVENTS", 1)

    with serving(lambda _: (500, None)) as api:
        result = create(api, ids)

    assert exit_code(result) == 2
    assert f"split -l 1 {ids}" in said(result)


@pytest.mark.parametrize(
    "selected",
    [
        ("order-1007",),
        ("--source", "s"),
        ("--type", "t"),
        ("--day", "2025-11-28"),
        ("--since", "1h"),
        ("--to-day", "1d"),
    ],
)
def test_a_file_goes_with_nothing_else_that_selects_events(ids: Path, selected: tuple[str, ...]) -> None:
    with serving(lambda _: (500, None)) as api:
        result = create(api, ids, *selected)

    assert exit_code(result) == 2
    assert "names the events" in result.stderr
    assert api.asked == []


@pytest.mark.parametrize("upload", [(503, None), BROKEN])
def test_an_upload_is_repeated_if_that_may_help_and_its_lost_answer_does_no_harm(ids: Path, upload: Answer) -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api, upload, (412, None))
        result = create(api, ids)

    assert exit_code(result) == 0
    assert [asked.body for asked in api.calls(UPLOAD)] == [CONTENT, CONTENT]


def test_a_refused_upload_says_why_and_requests_nothing(ids: Path) -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api, (400, b"<Error><Code>BadDigest</Code><Message>The checksum did not match.</Message></Error>"))
        result = create(api, ids)

    assert exit_code(result) == 4
    assert "S3 refused the upload (400): The checksum did not match." in said(result)
    assert api.calls("POST /replay") == []


def test_a_file_too_large_to_be_counted_is_confirmed_by_the_number_of_its_ids(ids: Path) -> None:
    with serving(lambda _: (500, None)) as api:
        answers(api, exact=False)
        create(api, ids)

    assert api.calls("POST /replay")[-1].body["confirm"] == 2


def test_a_file_of_no_event_that_there_is_sends_nothing_and_says_why(ids: Path) -> None:
    none = {**COUNTED, "not_found": 2, "not_found_ids": [A, B]}
    with serving(lambda _: (500, None)) as api:
        advice = "No event has any id of the file."
        answers(api, messages=0, scanned=2, events_file=none, by_day={}, by_source={}, by_type={}, advice=advice)
        result = create(api, ids)

    assert "No event has any id of the file." in result.stderr
    assert "2 of them do not exist" in result.stderr
    assert len(api.calls("POST /replay")) == 1


def test_a_replay_of_a_file_is_listed_and_shown_by_its_hash_and_what_was_not_found() -> None:
    found = job(request=REQUEST, not_found=1)
    with serving(routes({"GET /replay": (200, {"items": [found], "cursor": None})})) as api:
        listed = api.run("replay", "list", "--table")
    with serving(routes({f"GET /replay/{found['replay_id']}": (200, found)})) as api:
        shown = api.run("replay", "get", found["replay_id"], "--table")

    for told in (listed.stdout, shown.stdout):
        assert f"events of the file {NAME[:12]}" in told
    assert "1 ids of the file" in shown.stdout
