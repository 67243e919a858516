"""Members of payloads as columns of the console's list of events."""

from __future__ import annotations

import pytest

from retrace.console.columns import MOST_COLUMNS, paths_of
from tests.unit.cli.console import console
from tests.unit.cli.scripted_api import routes

EVENTS = (
    '{"items": [{"event_id": "a", "event": {"payload": {"amount": 1.10, "card": {"network": "visa"}, "a/b": [1, 20]}}},'
    ' {"event_id": "b", "event": {"data": {"amount": 12345678901234567890}}}, {"event_id": "c", "event": null}],'
    ' "cursor": null}'
)


def columns(paths: str) -> list[list[str | None]]:
    with console(routes({"GET /events": (200, EVENTS.encode())})) as served:
        found = served.page(f"/console/rows?entity_id=e&columns={paths}").json()
        [asked] = served.api.calls("GET /events")
    assert asked.query == {"entity_id": "e", "include": "event"}
    assert [set(item) for item in found["items"]] == [{"event_id", "columns"}] * 3
    return [item["columns"] for item in found["items"]]


def test_a_number_has_the_digits_that_were_sent() -> None:
    assert columns("/amount") == [["1.10"], ["12345678901234567890"], [None]]


def test_a_path_leads_into_objects_and_arrays() -> None:
    assert columns("/card/network,/a~1b/1,/card")[0] == ["visa", "20", '{"network":"visa"}']


def test_what_a_payload_does_not_have_is_null() -> None:
    assert columns("/card/none,/a~1b/7,/amount/x")[0] == [None, None, None]


@pytest.mark.parametrize("wrong", ["amount", " ".join(["/a"] * (MOST_COLUMNS + 1))])
def test_what_is_no_path_or_too_many_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match="columns are"):
        paths_of(wrong)


def test_a_wrong_path_is_a_problem_that_shows_a_right_one() -> None:
    with console(routes({})) as served:
        answer = served.page("/console/rows?entity_id=e&columns=amount")

    assert (answer.status, served.api.asked) == (400, [])
    assert "/amount" in answer.json()["detail"] + answer.json()["remedy"]
