"""What the console adds to the API: pictures that grow, events that are checked, sources, metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from retrace.console import gathering
from retrace.console.picture import DAY as DAY_MS
from retrace.console.picture import HOUR, Frame
from retrace.console.received import metrics_of, series_of_logs
from retrace.target import Target
from tests.unit.cli.console import Served, console
from tests.unit.cli.scripted_api import Answer, Asked, problem, routes
from tests.unit.examples import event_in, stored

DAY = "start_time=2025-11-28T00:00:00Z&end_time=2025-11-29T00:00:00Z"
PAGES = 5
MIDNIGHT = 1_795_392_000_000
TODAY = Frame(MIDNIGHT, MIDNIGHT + DAY_MS, HOUR, HOUR)
"""The 23rd of November 2026, by hours."""


def page_of_events(asked: Asked) -> Answer:
    """Five pages of events, a thousand asked for and two answered; the first event arrived again."""
    if asked.query.get("status"):
        again = [metadata(0)] if asked.query["status"] == "DUPLICATE" else []
        return 200, {"items": again, "cursor": None}
    number = int(asked.query.get("cursor", "0"))
    items = [metadata(2 * number), metadata(2 * number + 1)]
    return 200, {"items": items, "cursor": str(number + 1) if number < PAGES - 1 else None}


def metadata(number: int) -> dict[str, Any]:
    return {
        "event_id": f"{number:064x}",
        "event_time": f"2025-11-28T{number:02}:00:00.000000000Z",
        "ingest_time": f"2025-11-28T{number:02}:00:01.000000000Z",
        "source": "s",
        "event_type": "t",
        "entity_id": "e",
    }


@pytest.fixture
def served() -> Iterator[Served]:
    with console(page_of_events) as found:
        yield found


def lines(served: Served, query: str) -> list[dict[str, Any]]:
    answer = served.page(f"/console/pictures?{query}")
    assert answer.status == 200, answer.data
    return [json.loads(line) for line in answer.data.splitlines()]


def test_a_picture_comes_with_the_first_page_and_the_last_one_is_whole(served: Served) -> None:
    told = lines(served, f"entity_id=e&{DAY}")
    pictures = [line["picture"]["count"] for line in told if "picture" in line]

    assert pictures == [2, 4, 8, 10]
    assert [line["done"] for line in told if "picture" in line] == [False, False, False, True]
    assert [asked.query["limit"] for asked in served.api.asked][:PAGES] == ["50", *["1000"] * (PAGES - 1)]
    assert sum(told[-1]["picture"]["bins"]["duplicate"]) == 1


def test_the_first_page_is_the_list_below_the_picture(served: Served) -> None:
    first = lines(served, f"entity_id=e&{DAY}")[0]

    assert [row["event_id"] for row in first["rows"]] == [metadata(0)["event_id"], metadata(1)["event_id"]]
    assert first["cursor"] == "1"


def test_zooming_into_what_was_read_asks_the_api_for_nothing(served: Served) -> None:
    lines(served, f"entity_id=e&{DAY}")
    before = len(served.api.asked)
    zoomed = "start_time=2025-11-28T02:00:00Z&end_time=2025-11-28T04:00:00Z"
    told = lines(served, f"entity_id=e&{zoomed}&since=1795426200000")

    assert [line["picture"]["count"] for line in told] == [2]
    assert len(served.api.asked) == before


@pytest.mark.parametrize(
    "other",
    [
        f"entity_id=e&{DAY}&since=1795426200001",
        f"entity_id=f&{DAY}",
        f"entity_id=e&source=s&{DAY}",
        "entity_id=e&start_time=2025-11-27T00:00:00Z&end_time=2025-11-28T04:00:00Z",
    ],
)
def test_anything_else_is_read_again(served: Served, other: str) -> None:
    lines(served, f"entity_id=e&{DAY}")
    before = len(served.api.asked)
    lines(served, other)

    assert len(served.api.asked) > before


def test_bins_are_bounded(served: Served) -> None:
    assert served.page(f"/console/pictures?entity_id=e&{DAY}&bin_ms=1").status == 400


def test_of_what_was_read_without_marks_a_few_are_marked_when_they_are_zoomed_into() -> None:
    def script(asked: Asked) -> Answer:
        if asked.query.get("status"):
            return page_of_events(asked)
        items = [
            {**metadata(n % 20), "event_id": f"{n:064x}"}
            for n in range(501 if "T00" in asked.query["start_time"] else 5)
        ]
        return 200, {"items": sorted(items, key=lambda item: item["event_time"]), "cursor": None}

    with console(script) as served:
        whole = lines(served, f"entity_id=e&{DAY}")[-1]
        few = lines(served, "entity_id=e&start_time=2025-11-28T02:00:00Z&end_time=2025-11-28T04:00:00Z")[-1]

    assert (whole["marked"], few["marked"]) == (False, True)


def test_late_is_what_the_deployment_calls_so() -> None:
    with console(page_of_events, storage={"late_after_seconds": "1"}) as served:
        told = lines(served, f"entity_id=e&{DAY}")[-1]

    assert (told["late_ms"], sum(told["picture"]["bins"]["late"])) == (1_000, 10)


def test_a_problem_on_the_way_is_told_after_what_was_read() -> None:
    def script(asked: Asked) -> Answer:
        return (400, problem("The cursor is not ours.")) if asked.query.get("cursor") else page_of_events(asked)

    with console(script) as served:
        told = lines(served, f"entity_id=e&{DAY}")

    assert told[1]["picture"]["count"] == 2
    assert "The cursor is not ours." in told[-1]["problem"]["detail"]


def test_a_window_that_is_none_is_a_problem(served: Served) -> None:
    answer = served.page("/console/pictures?entity_id=e&start_time=2025&end_time=2026")

    assert answer.status == 400
    assert "start_time" in answer.json()["detail"]


TEXT = (
    '{"source":"s","event_type":"t","entity_id":"e","event_time":"2025-11-28T00:00:00Z",'
    '"payload":{"amount":1.10,"big":12345678901234567890}}'
)


def looked_at(text: str) -> dict[str, Any]:
    """An event as the console shows it, whose bytes the API says are these."""
    event = event_in(TEXT)
    known = {name: value for name, value in asdict(stored(event)).items() if name != "location"} | {"s3_key": "raw/…"}
    script = routes(
        {f"GET /events/{event.event_id}": (200, known), f"GET /events/{event.event_id}/raw": (200, text.encode())}
    )
    with console(script) as served:
        found: dict[str, Any] = served.page(f"/console/events/{event.event_id}").json()
    return found


COUNTED = "source=s&event_type=t&start_time=2025-11-28T00:00:00Z&end_time=2025-11-28T06:00:00Z&bin_ms=7200000"


def late_page(asked: Asked) -> Answer:
    """Events of four hours, the last of them an hour late, one of them there twice."""
    assert asked.query["source"] == "s"
    items = [metadata(hour) | {"ingest_lag_ms": 0} for hour in (0, 0, 1, 5)]
    return 200, {"items": [*items[:-1], items[-1] | {"ingest_lag_ms": HOUR}], "cursor": None}


def test_events_of_a_type_are_counted_in_bins_of_a_window() -> None:
    with console(late_page) as served:
        found = served.page(f"/console/counts?{COUNTED}").json()

    assert (found["all"], found["late"]) == ([3, 0, 1], [0, 0, 1])
    assert (found["width"], found["until"]) == (2 * HOUR, None)


def test_where_there_are_more_events_than_are_counted_it_is_said_up_to_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_COUNTED", 3)
    with console(late_page) as served:
        found = served.page(f"/console/counts?{COUNTED}").json()

    assert (sum(found["all"]), found["until"]) == (3, 1_764_291_600_000)


def test_a_problem_while_counting_is_told_with_its_remedy() -> None:
    with console(routes({"GET /events": (400, problem("The window is too long."))})) as served:
        answer = served.page(f"/console/counts?{COUNTED}")

    assert (answer.status, answer.json()["detail"][-24:]) == (502, " The window is too long.")


def test_an_event_is_hashed_again_and_laid_out_digit_by_digit() -> None:
    found = looked_at(TEXT)

    assert (found["fault"], found["raw"]) == (None, TEXT)
    assert '"amount": 1.10' in found["laid_out"]
    assert "12345678901234567890" in found["laid_out"]


def test_an_event_whose_text_was_changed_is_told() -> None:
    changed = TEXT.replace("1.10", "1.11")
    found = looked_at(changed)

    assert found["fault"]
    assert found["raw"] == changed


def test_an_event_that_is_not_known_is_answered_as_the_api_does() -> None:
    with console(routes({})) as served:
        assert served.page("/console/events/abc").status == 404


@pytest.mark.parametrize("path", ["/console/", "/console/nothing", "/console/events/", "/console/events/a%20b"])
def test_what_the_console_does_not_add_is_told_and_asks_the_api_for_nothing(served: Served, path: str) -> None:
    answer = served.page(path)

    assert (answer.status, answer.json()["title"]) == (404, "Not Found")
    assert served.api.asked == []


def target(**more: Any) -> Target:
    return Target("http://127.0.0.1:9/api", "test", "eu-west-1", **more)


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def put(cloudwatch: Any, name: str, value: int, service: str = "retrace-prod") -> None:
    dimensions = [{"Name": "service", "Value": service}]
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    metric = {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value, "Unit": "Count"}
    cloudwatch.put_metric_data(Namespace="Retrace", MetricData=[metric])


def test_metrics_are_those_of_the_stack_by_hour(aws: None) -> None:
    cloudwatch = boto3.client("cloudwatch", region_name="eu-west-1")
    put(cloudwatch, "IngestAcceptedCount", 7)
    put(cloudwatch, "DuplicateCount", 2)
    put(cloudwatch, "IngestAcceptedCount", 100, service="retrace-dev")
    series = metrics_of(target(stack="retrace-prod"), TODAY)["series"]

    assert (series["accepted"][9], sum(series["accepted"])) == (7, 7)
    assert (series["duplicate"][9], sum(series["rejected"])) == (2, 0)


def test_of_a_stack_that_is_named_nothing_is_listed(aws: None) -> None:
    series = metrics_of(target(stack="retrace-prod"), TODAY)["series"]

    assert {name: sum(counts) for name, counts in series.items()} == dict.fromkeys(series, 0)


def test_of_several_stages_none_is_guessed(aws: None) -> None:
    cloudwatch = boto3.client("cloudwatch", region_name="eu-west-1")
    put(cloudwatch, "IngestAcceptedCount", 7)
    put(cloudwatch, "IngestAcceptedCount", 7, service="retrace-dev")
    found = metrics_of(target(), TODAY)

    assert found["series"] is None
    assert found["not_found"]


def test_of_a_local_stack_the_logs_are_counted(aws: None) -> None:
    logs = boto3.client("logs", region_name="eu-west-1")
    at = round(datetime.now(UTC).timestamp() * 1_000)
    midnight = at - at % DAY_MS
    counts = {"accepted": 3, "duplicate": 2, "conflict": 1, "rejected": 0}
    said: list[Any] = [
        {"message": "ingest", "dry_run": False, "counts": counts},
        {"message": "ingest", "dry_run": True, "counts": counts},
        {"message": "replay planned"},
    ]
    logs.create_log_group(logGroupName="stack/IngestLogs")
    logs.create_log_stream(logGroupName="stack/IngestLogs", logStreamName="1")
    events: Any = [{"timestamp": at, "message": text} for text in ("START", *map(json.dumps, said))]
    logs.put_log_events(logGroupName="stack/IngestLogs", logStreamName="1", logEvents=events)
    series = series_of_logs(target(), Frame(midnight, midnight + DAY_MS, HOUR, HOUR))

    assert {name: hours[(at - midnight) // HOUR] for name, hours in series.items()} == counts
    assert sum(map(sum, series.values())) == 6
