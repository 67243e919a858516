"""Refused events that are retried in bulk in the console."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem

IDS = [f"2026-11-22.{letter * 64}" for letter in "ab"]


def refused(rejected_id: str) -> dict[str, Any]:
    return {
        "rejected_id": rejected_id,
        "status": "REJECTED",
        "errors": [{"field": "event_time", "message": "has no offset"}],
        **dict.fromkeys(("source", "event_type", "entity_id", "idempotency_key")),
        "content_type": "application/json",
        "headers": {},
        "body": '{"event_time": "2026-11-22 10:00:00", "payload": {"amount": 1.10}}',
    }


def quarantine(asked: Asked) -> Answer:
    """Two refused events; the second is refused again."""
    method, path = asked.call.split()
    if method == "GET":
        return 200, refused(path.removeprefix("/rejected/"))
    if IDS[0] in path:
        return 201, {"status": "ACCEPTED", "event_id": "c" * 64}
    wrong = {"field": "event_time", "message": "has no offset"}
    return 400, {"status": "REJECTED", "rejected_id": IDS[1], "errors": [wrong]}


def retried(served: Served, body: str, query: str = "") -> list[dict[str, Any]]:
    answer = served.page(f"/console/retries{query}", "POST", body.encode())
    assert answer.status == 200, answer.data
    return [json.loads(line) for line in answer.data.splitlines()]


def test_events_to_correct_are_lines_with_the_digits_that_were_sent() -> None:
    with console(quarantine) as served:
        lines = served.page(f"/console/corrections?ids={','.join([*IDS, 'no/id'])}").json()["lines"].splitlines()

    assert [json.loads(line)["rejected_id"] for line in lines] == IDS
    assert '"payload": {"amount": 1.10}}' in lines[0]


def test_many_are_retried_as_they_were_kept_and_each_tells_what_became_of_it() -> None:
    with console(quarantine) as served:
        found = retried(served, "\n".join(json.dumps({"rejected_id": each}) for each in IDS))
        asked = served.api.asked

    assert [(one["rejected_id"], one["taken_in"]) for one in found] == [(IDS[0], True), (IDS[1], False)]
    assert found[1]["errors"][0]["message"] == "has no offset"
    assert [one.body for one in asked] == [None, None]


def test_a_correction_is_sent_in_place_of_the_event() -> None:
    line = json.dumps({"rejected_id": IDS[0], "event": {"event_time": "2026-11-22T10:00:00Z"}})
    with console(quarantine) as served:
        [found] = retried(served, line, "?dry_run=true")
        [asked] = served.api.asked

    assert found["taken_in"]
    assert (asked.body, asked.query) == ({"event_time": "2026-11-22T10:00:00Z"}, {"dry_run": "true"})


def test_a_line_that_is_no_correction_is_told_and_nothing_is_sent() -> None:
    with console(quarantine) as served:
        answer = served.page("/console/retries", "POST", f'{{"rejected_id": "{IDS[0]}"}}\n{{"event": 1}}'.encode())

    assert answer.status == 400
    assert "rejected_id" in answer.json()["detail"]
    assert served.api.asked == []


def test_a_problem_in_the_middle_is_the_last_line() -> None:
    def script(asked: Asked) -> Answer:
        return quarantine(asked) if IDS[0] in asked.call else (403, problem("It is not allowed."))

    with console(script) as served:
        found = retried(served, "\n".join(json.dumps({"rejected_id": each}) for each in IDS))

    assert found[0]["taken_in"]
    assert "not allowed" in found[1]["problem"]["detail"]
