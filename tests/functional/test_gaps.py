"""GET /gaps of a source: over all of its types, and hours with far fewer events than their neighbours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.application import Application
from tests.functional.events import Json, paid
from tests.functional.wire import Wire

DAY_BEFORE = "2026-11-19"
DAY = "2026-11-20"
SOURCE = "shop/checkout"
OF_SOURCE = {"source": SOURCE, "day": DAY}


def hourly(event_type: str, counts: dict[int, int], source: str = SOURCE) -> list[Json]:
    return [
        paid(number, source=source, event_type=event_type, event_time=_at(hour, number))
        for hour, count in counts.items()
        for number in range(count)
    ]


def _at(hour: int, minute: int) -> str:
    return f"{DAY}T{hour:02d}:{minute:02d}:00Z"


def steady(count: int, **but: int) -> dict[int, int]:
    """As many in each hour, but in some: `h14=1`."""
    return {hour: but.get(f"h{hour:02d}", count) for hour in range(24)}


def dips(answer: Json) -> list[tuple[Any, ...]]:
    return [
        (dip["start_time"][11:13], dip["end_time"][11:13], dip["event_type"], dip["events"], dip["usual"])
        for dip in answer["dips"]
    ]


def gaps(answer: Json) -> list[tuple[str, str]]:
    return [(gap["start_time"][11:13], gap["end_time"][11:13]) for gap in answer["items"]]


def test_one_late_event_does_not_hide_an_outage_of_two_hours(application: Application) -> None:
    application.accept_all(hourly("paid", steady(5, h14=0, h15=1)) + hourly("refunded", steady(2, h14=0, h15=0)))

    answer = application.get("/gaps", **OF_SOURCE).json_body

    assert gaps(answer) == [("14", "15")]
    assert dips(answer) == [("14", "16", None, 1, 7)]
    assert answer["event_types"] == ["paid", "refunded"]
    assert answer["dip_rule"].startswith("A dip is at most 21 hours")


def test_an_outage_of_twelve_hours_with_an_event_in_each_is_found_from_any_window_that_it_touches(
    application: Application,
) -> None:
    outage = {f"h{hour:02}": 1 for hour in range(6, 18)}
    before = [{**each, "event_time": each["event_time"].replace(DAY, DAY_BEFORE)} for each in hourly("paid", steady(9))]
    application.accept_all(before + hourly("paid", steady(9, **outage)))

    of_day = application.get("/gaps", **OF_SOURCE).json_body
    of_an_hour = application.get(
        "/gaps", source=SOURCE, start_time=f"{DAY}T11:00:00Z", end_time=f"{DAY}T12:00:00Z"
    ).json_body

    assert gaps(of_day) == []
    assert dips(of_day) == dips(of_an_hour) == [("06", "18", None, 12, 9)]


def test_an_hour_in_which_any_type_of_the_source_has_an_event_is_no_gap(application: Application) -> None:
    application.accept_all(
        hourly("a", {1: 1})
        + hourly("b#%", {2: 1})
        + hourly("c", {3: 1}, "shop/checkout-2")
        + hourly("d", {3: 1}, "shop")
    )

    answer = application.get("/gaps", **OF_SOURCE).json_body

    assert gaps(answer) == [("00", "01"), ("03", "00")]
    assert (answer["event_types"], answer["dips"]) == (["a", "b#%"], [])


def test_a_type_that_has_a_dip_while_others_go_on_is_named(application: Application) -> None:
    application.accept_all(hourly("paid", steady(8)) + hourly("refunded", steady(7, h09=1)))

    of_source = application.get("/gaps", **OF_SOURCE).json_body
    of_type = application.get("/gaps", **OF_SOURCE, event_type="refunded").json_body

    assert dips(of_source) == [("09", "10", "refunded", 1, 7)]
    assert dips(of_type) == [("09", "10", None, 1, 7)]
    assert of_type["event_types"] == ["refunded"]


def test_hours_are_counted_to_their_end_however_many_events_they_have(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept_all(hourly("paid", steady(12, h06=2, h20=0)))
    monkeypatch.setattr("chalicelib.search.dips.ROWS_OF_A_DAY", 5)

    answer = application.get("/gaps", **OF_SOURCE).json_body

    assert dips(answer) == [("06", "07", None, 2, 12), ("20", "21", None, 0, 12)]


def test_events_of_the_future_are_not_counted(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.search.dips.ROWS_OF_A_DAY", 3)
    ahead = [{**each, "event_time": each["event_time"].replace("2026", "2036")} for each in hourly("paid", steady(4))]
    application.accept_all(ahead)

    answer = application.get("/gaps", source=SOURCE, day="2036-11-20").json_body

    assert gaps(answer) == [("00", "00")]


def test_a_quiet_day_and_the_three_around_it_cost_one_read_of_each_shard_and_type(
    application: Application, wire: Wire
) -> None:
    application.accept_all(hourly("paid", {3: 1}) + hourly("refunded", {5: 1}))
    wire.mend()

    application.get("/gaps", source=SOURCE, start_time=f"{DAY}T06:00:00Z", end_time=f"{DAY}T09:00:00Z")

    assert wire.calls == ["Query"] * (1 + 2 * 4 * 4)


def test_a_source_with_more_types_than_can_be_compared_with_the_days_around_still_has_gaps(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept_all(hourly("paid", {3: 1}) + hourly("refunded", {5: 1}))
    monkeypatch.setattr("chalicelib.search.gaps.REQUEST_US", 100_000)
    monkeypatch.setattr("chalicelib.search.dips._READS_AT_ONCE", 8)
    wire.mend()

    answer = application.get("/gaps", **OF_SOURCE).json_body

    assert (gaps(answer), answer["dips"]) == ([("00", "03"), ("04", "05"), ("06", "00")], None)
    assert wire.calls == ["Query"] * (1 + 2 * 4)


def test_a_source_that_never_was_has_no_types(application: Application) -> None:
    answer = application.get("/gaps", source="nobody", day=DAY).json_body

    assert (answer["event_types"], answer["dips"], gaps(answer)) == ([], [], [("00", "00")])


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"day": DAY}, "entity_id"),
        ({"event_type": "paid", "day": DAY}, "entity_id"),
        ({"source": SOURCE}, "day"),
        ({"source": SOURCE, "entity_id": "e", "day": DAY}, "entity_id"),
    ],
)
def test_a_question_without_source_entity_or_window_is_refused(
    application: Application, query: dict[str, str], named: str
) -> None:
    response = application.get("/gaps", **query)

    assert response.status_code == 400
    assert [error["field"] for error in response.json_body["errors"]] == [named]


def test_more_than_a_request_reads_is_refused_before_it_is_read_with_the_advice_to_name_a_type(
    application: Application, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.accept_all(hourly("paid", {3: 1}))
    monkeypatch.setattr("chalicelib.search.gaps.REQUEST_US", 1)
    wire.mend()

    response = application.get("/gaps", **OF_SOURCE)

    assert response.status_code == 400
    assert response.json_body["errors"][0]["message"].endswith("ask for fewer days, or for one event_type")
    assert wire.calls == ["Query"]
