"""rejected list, get and retry: what they ask, what they show, and how files of corrections are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrace.corrections import corrections_of, line_for_correction
from retrace.problem import Exit
from tests.terminal import on_a_terminal
from tests.unit.cli.scripted_api import Asked, Json, exit_code, problem, routes, said, serving
from tests.unit.cli.test_search_commands import command, environment_of

DAY = "2025-11-28"
IDS = [f"{DAY}.{number:064x}" for number in range(1, 4)]


def refused(number: int, body: str = '{"payload": 1.10}', **changes: Any) -> Json:
    """A refused event as the API shows it."""
    return {
        "rejected_id": IDS[number - 1],
        "status": "REJECTED",
        "errors": [{"field": "event_time", "message": "is missing"}],
        "ingest_time": f"{DAY}T08:00:0{number}.000000000Z",
        "source": "shop/checkout",
        "event_type": "order.paid",
        "entity_id": f"order-{number}",
        "idempotency_key": None,
        "events": 1,
        "retried": False,
        "resolved": False,
        "content_type": "application/json",
        "headers": {},
        "conflicts": [],
        "retries": [],
        "body": body,
    } | changes


def api_of(*items: Json) -> Any:
    """An API with these refused events."""
    listed = {"GET /rejected": (200, {"items": list(items), "cursor": None})}
    return routes(listed | {f"GET /rejected/{item['rejected_id']}": (200, item) for item in items})


def test_a_list_fits_80_columns_and_names_time_source_entity_key_and_reason(tmp_path: Path) -> None:
    with serving(api_of(refused(2, idempotency_key="evt_2"), refused(1, retried=True))) as api:
        arguments = command("rejected", "list", "--day", DAY)
        _, shown = on_a_terminal(arguments, directory=tmp_path, environment=environment_of(api), columns=80)

    assert max(map(len, shown.splitlines())) <= 80
    assert shown.index("order-1") < shown.index("order-2")
    for text in (IDS[0][:19], "08:00:01", "shop/checkout, order-2, evt_2", "event_time is missing", "tried"):
        assert text in shown


def test_a_row_of_a_list_has_two_lines_at_80_columns_and_times_without_nanoseconds(tmp_path: Path) -> None:
    first = f"is of an event received {DAY}T07:00:00.000000000Z (content_sha256 {'ab' * 32})"
    errors = [{"field": "idempotency_key", "message": first}, {"field": "payload", "message": "is\nwrong"}]
    long = refused(1, errors=errors, source="a" * 60, idempotency_key="k" * 60)
    with serving(api_of(long, refused(2))) as api:
        arguments = command("rejected", "list", "--day", DAY)
        _, shown = on_a_terminal(arguments, directory=tmp_path, environment=environment_of(api), columns=80)
        wide = api.run("rejected", "list", "--day", DAY, "--table")

    rows = [line for line in shown.splitlines() if line.strip()]
    of_first, of_second = (next(n for n, row in enumerate(rows) if at in row) for at in ("08:00:01", "08:00:02"))
    assert of_second - of_first == 2
    assert max(map(len, rows)) <= 80
    assert "…" in rows[of_first]
    assert f"is of an event received {DAY} 07:00:00; payload is\\nwrong" in wide.stdout


def test_options_of_a_list_are_those_of_the_api() -> None:
    with serving(api_of()) as api:
        api.run("rejected", "list", "--since", DAY, "--until", f"{DAY}T09:00", "--unresolved", "-s", "s")
        result = api.run("rejected", "list", "--day", DAY, "--reason", "CONFLICT")

    window = {"start_time": f"{DAY}T00:00:00.000000000Z", "end_time": f"{DAY}T09:00:00.000000000Z"}
    first, second = (asked.query for asked in api.calls("GET /rejected"))
    assert first == window | {"resolved": "false", "source": "s", "limit": "100"}
    assert second == {"day": DAY, "reason": "CONFLICT", "limit": "100"}
    assert f"No refused event of {DAY}, reason CONFLICT" in said(result)


@pytest.mark.parametrize("arguments", [("--until", DAY), ("--day", DAY, "--since", DAY)])
def test_a_list_of_no_window_is_refused(arguments: tuple[str, ...]) -> None:
    with serving(api_of()) as api:
        assert exit_code(api.run("rejected", "list", *arguments)) == Exit.USAGE


def test_a_conflict_is_shown_by_what_differs() -> None:
    first = {"ingest_time": f"{DAY}T07:00:00.000000000Z"}
    differs = [{"path": "payload.amount", "first": "130.77", "refused": "120.77"}, {"path": "payload.a", "first": "1"}]
    conflict = {"event_id": "ab" * 32, "first": first, "differences": differs, "more_differences": False}
    with serving(api_of(refused(1, status="CONFLICT", conflicts=[conflict]))) as api:
        result = api.run("rejected", "get", IDS[0], "--table")

    assert "payload.amount: 120.77, first was 130.77" in result.stdout
    assert "payload.a: absent, first was 1" in result.stdout
    assert f"first     received {DAY} 07:00:00: retrace event {'ab' * 32}" in result.stdout


@pytest.mark.parametrize(
    ("key", "named"),
    [("evt 1", "s 'evt 1'"), ("-Xk1", "ab" * 32), ("two\nlines", "ab" * 32)],
    ids=["text", "option", "lines"],
)
def test_the_command_for_the_first_event_of_a_conflict_can_be_run_as_it_is_shown(key: str, named: str) -> None:
    conflict = {"event_id": "ab" * 32, "first": {"ingest_time": f"{DAY}T07:00:00.000000000Z"}}
    known = refused(1, status="CONFLICT", conflicts=[conflict], source="s", idempotency_key=key)
    with serving(api_of(known)) as api:
        result = api.run("rejected", "get", IDS[0], "--table")

    assert f"retrace event {named}\n" in result.stdout


def test_a_list_shows_conflicts_by_what_differs_as_far_as_they_can_be_read() -> None:
    differs = [{"path": "payload.amount", "first": "130.77", "refused": "120.77"}]
    reason = {"field": "idempotency_key", "message": "was first used for other content (content_sha256 ab, first cd)"}
    conflicts = [
        refused(number, status="CONFLICT", errors=[reason], conflicts=[{"differences": differs}]) for number in (1, 2)
    ]
    answered = api_of(*conflicts, refused(3))

    def script(asked: Asked) -> Any:
        return (403, problem("no")) if asked.call == f"GET /rejected/{IDS[1]}" else answered(asked)

    with serving(script) as api:
        result = api.run("rejected", "list", "--day", DAY, "--table")

    rows = [line for line in result.stdout.splitlines() if line.startswith(DAY)]
    told = ["payload.amount: 120.77, first was 130.77", "idempotency_key was first used for other content"]
    assert [text in row for text, row in zip([*told, "event_time is missing"], rows, strict=True)] == [True] * 3
    assert len(api.calls(f"GET /rejected/{IDS[2]}")) == 0


def test_a_list_for_programs_is_as_the_api_answers_it() -> None:
    with serving(api_of(refused(1, status="CONFLICT"))) as api:
        result = api.run("rejected", "list", "--day", DAY)

    assert json.loads(result.stdout) == refused(1, status="CONFLICT")
    assert [asked.call for asked in api.asked] == ["GET /rejected"]


def test_bodies_are_listed_with_the_text_that_was_sent() -> None:
    with serving(api_of(refused(1), refused(2, body="not\njson"))) as api:
        result = api.run("rejected", "list", "--day", DAY, "--bodies")

    first, second = result.stdout.splitlines()
    assert first.startswith(f'{{"rejected_id":"{IDS[0]}","status":"REJECTED",')
    assert first.endswith(',"event":{"payload": 1.10}}')
    assert second == json.dumps(json.loads(second), separators=(",", ":"))
    assert json.loads(second)["body"] == "not\njson"


def test_events_kept_together_are_listed_as_an_array() -> None:
    line = line_for_correction(refused(1, body='{"a": 1}\n{"a": 2}', content_type="application/x-ndjson"))

    assert json.loads(line)["event"] == [{"a": 1}, {"a": 2}]


def retrying(asked: Asked) -> tuple[int, Any]:
    """An API that takes in the first event, refuses the second, knows nothing of the third, and a batch in part."""
    if asked.call.endswith(f"{IDS[0]}/retry"):
        return 201, {"status": "ACCEPTED", "event_id": "e"}
    if asked.call.endswith(f"{IDS[1]}/retry"):
        fault = {"field": "source", "message": "is missing"}
        return 400, {"status": "REJECTED", "errors": [fault], "rejected_id": None}
    return 404, problem("Nothing is in quarantine under this id.")


def test_refused_events_are_retried_as_they_were_kept_and_counted() -> None:
    with serving(retrying) as api:
        result = api.run("rejected", "retry", *IDS, "--table")

    assert exit_code(result) == Exit.DIFFERENT
    assert "3 retried: 1 accepted, 1 rejected, 1 unknown" in result.stderr
    assert "source is missing" in result.stdout
    assert [asked.query for asked in api.asked] == [{}] * 3


def test_a_retry_that_is_taken_in_ends_with_0_and_a_dry_run_asks_for_one() -> None:
    with serving(retrying) as api:
        result = api.run("rejected", "retry", IDS[0], "--dry-run", "--json")

    assert (exit_code(result), json.loads(result.stdout)) == (
        0,
        {"rejected_id": IDS[0], "accepted": 1, "errors": []},
    )
    assert api.asked[0].query == {"dry_run": "true"}


def test_a_batch_that_is_refused_in_part_ends_with_1() -> None:
    counts = {"accepted": 1, "duplicate": 0, "conflict": 0, "rejected": 1}
    answer = {"counts": counts, "results": [{"errors": [{"field": "a", "message": "is wrong"}]}], "more_refused": 0}
    with serving(routes({f"POST /rejected/{IDS[0]}/retry": (200, answer)})) as api:
        result = api.run("rejected", "retry", IDS[0], "--table")

    assert exit_code(result) == Exit.DIFFERENT
    assert "1 accepted, 1 rejected" in result.stderr


def test_a_retry_that_is_not_decided_is_told_as_the_problem_that_it_is() -> None:
    with serving(routes({f"POST /rejected/{IDS[0]}/retry": (403, problem("no"))})) as api:
        assert exit_code(api.run("rejected", "retry", IDS[0])) == Exit.REFUSED


def test_corrected_events_are_sent_as_the_file_has_them(tmp_path: Path) -> None:
    file = tmp_path / "fixed.ndjson"
    lines = [
        f'{{"rejected_id": "{IDS[0]}", "content_type": "application/x-ndjson", "event": {{"n":1.10}}}}',
        f'{{"rejected_id": "{IDS[0]}", "content_type": "application/cloudevents+json", "event": [1]}}',
        f'{{"rejected_id": "{IDS[0]}", "content_type": "text/plain", "headers": {{"ce-id": "1"}}, "body": "0"}}',
        f'{{"rejected_id": "{IDS[0]}", "headers": {{}}, "body_base64": "e30="}}',
    ]
    file.write_text("\n".join(lines) + "\n")
    sent: list[tuple[Any, str | None, str | None]] = []

    def answer(asked: Asked) -> tuple[int, Any]:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        sent.append((asked.body, headers.get("content-type"), headers.get("ce-id")))
        return retrying(asked)

    with serving(answer) as api:
        result = api.run("rejected", "retry", "--fix", str(file))

    assert exit_code(result) == 0
    assert sorted(kind or "" for _, kind, _ in sent)[-3:] == [
        "application/cloudevents-batch+json",
        "application/json",
        "text/plain",
    ]
    assert {key for _, _, key in sent} == {None, "1"}


def test_the_text_of_a_correction_is_sent_as_the_file_has_it(tmp_path: Path) -> None:
    (tmp_path / "fixed.ndjson").write_text(f'{{"rejected_id": "{IDS[0]}", "event": {{"n": 1.10}} }}')

    [correction] = corrections_of(tmp_path / "fixed.ndjson")

    assert correction.sent.body == b'{"n": 1.10}'


@pytest.mark.parametrize(
    "line", ["x", "[]", "{}", '{"rejected_id": "../x", "event": 1}', f'{{"rejected_id": "{IDS[0]}"}}', "\xff"]
)
def test_a_file_with_a_line_that_is_no_correction_sends_nothing(tmp_path: Path, line: str) -> None:
    file = tmp_path / "fixed.ndjson"
    file.write_bytes(f'{{"rejected_id": "{IDS[0]}", "event": {{}}}}\n'.encode() + line.encode("latin-1"))
    with serving(retrying) as api:
        result = api.run("rejected", "retry", "--fix", str(file))

    assert exit_code(result) == Exit.USAGE
    assert "Line 2" in said(result)
    assert api.asked == []


@pytest.mark.parametrize("arguments", [(), (IDS[0], "--fix", "f"), ("not/an/id",)])
def test_a_retry_of_nothing_or_of_two_things_is_refused(arguments: tuple[str, ...]) -> None:
    with serving(retrying) as api:
        assert exit_code(api.run("rejected", "retry", *arguments)) == Exit.USAGE


@given(st.text(max_size=40))
def test_any_body_can_be_listed_for_correction_on_one_line(body: str) -> None:
    line = line_for_correction(refused(1, body=body))

    assert "\n" not in line
    assert json.loads(line).keys() & {"event", "body"}
