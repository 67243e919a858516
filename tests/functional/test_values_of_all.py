"""Metrics that need all inputs of a version, as users see them: computed when asked, and kept once it is settled."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.dynamodb_values import DynamoKeptValues
from chalicelib.aggregates.ports import ValuesKey
from chalicelib.core.timestamps import Day
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.events import DAY, Json
from tests.functional.storage import Storage
from tests.functional.test_asking_metrics import ENTITY_DAY, compared
from tests.functional.test_metrics_of_replays import WHOLE_DAY, accept, amounts, define

BUYERS: Json = {"aggregate": "distinct", "value": "/amount", "group_by": ["/currency"]}
MEDIAN: Json = {"aggregate": "percentile", "percentile": "50", "value": "/amount"}


def kept(storage: Storage) -> list[Any]:
    return [row["values"] for row in storage.rows("AGGREGATES_TABLE") if row["PK"].startswith("VALUES#")]


def asked(application: Application, metric: str, **query: str) -> list[tuple[str | None, str | None]]:
    """The values of the newest version, and why one is unknown."""
    found = application.get("/aggregates", **ENTITY_DAY, metric=metric, **query).json_body
    metrics = found["versions"][0]["metrics"]
    return [(each["value"], each.get("unknown_because")) for each in metrics if each["inputs"]]


def test_are_exact_when_asked_and_the_same_from_the_row_that_is_kept_then(
    application: Application, storage: Storage
) -> None:
    define(application, "buyers", BUYERS)
    define(application, "median", MEDIAN)
    accept(application, *amounts("1.10", "1.1", "30", "7"))
    application.replayed(**WHOLE_DAY)

    first = [asked(application, name) for name in ("buyers", "median")]
    once = storage.everything()
    again = [asked(application, name) for name in ("buyers", "median")]

    assert first == again == [[("3", None)], [("1.1", None)]]
    assert sorted(kept(storage)) == [[["1.1"]], [["3", "EUR"]]]
    assert storage.everything() == once


def test_are_unknown_unless_the_metric_is_named(application: Application, storage: Storage) -> None:
    define(application, "median", MEDIAN)
    accept(application, *amounts("1"))
    application.replayed(**WHOLE_DAY)

    [version] = application.versions("order-1", DAY)

    assert [(each["value"], each.get("unknown_because")) for each in version["metrics"]] == [
        ("1", None),
        (None, "It needs all inputs. Name the metric to have its value."),
    ]
    assert kept(storage) == []


def test_are_kept_only_once_no_message_of_the_replay_is_left(application: Application, storage: Storage) -> None:
    define(application, "median", MEDIAN)
    accept(application, *amounts("1", "2", "3"))
    _, messages = application.planned(**WHOLE_DAY)
    application.process(messages[:2])

    [(value, _)], before = asked(application, "median"), kept(storage)
    application.process(messages[2:])
    complete = asked(application, "median")

    assert (value in ("1", "2"), before) == (True, [])
    assert (complete, kept(storage)) == ([("2", None)], [[["2"]]])


def test_beyond_the_reads_of_a_request_are_null_with_what_to_do(
    application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(application, "median", MEDIAN)
    accept(application, *amounts("1", "2", "3"))
    replay_id = application.replayed(**WHOLE_DAY)
    monkeypatch.setattr("chalicelib.aggregates.stored_metrics.ROWS_A_READ", 1)
    for asking in ("use_cases", "tracing"):
        monkeypatch.setattr(f"chalicelib.aggregates.{asking}.VALUES_US", 100_000)

    [(value, why)] = asked(application, "median")
    difference = compared(application, replay_id, replay_id, "median").json_body["metric_values"]

    assert (value, str(why)[:52]) == (None, "It needs all 3 inputs, and the request had reads for")
    assert (difference["from_value"], difference["to_unknown_because"][:21]) == (None, "It needs all 3 inputs")
    assert kept(storage) == []


def test_of_a_day_of_another_calendar_are_those_of_its_version(application: Application) -> None:
    define(application, "median", MEDIAN | {"time_zone": "Europe/Paris"})
    accept(application, *amounts("1", "2", "3"))
    application.replayed(**WHOLE_DAY)

    assert asked(application, "median", calendar="Europe/Paris") == [("2", None)]


def test_a_difference_has_both_values_the_groups_and_the_events_without_a_delta(application: Application) -> None:
    define(application, "buyers", BUYERS)
    accept(application, *amounts("1", "2"))
    before = application.replayed(**WHOLE_DAY)
    late = accept(application, *amounts("0", "0", "3")[2:])
    after = application.replayed(**WHOLE_DAY)

    metric = compared(application, before, after, "buyers").json_body["metric_values"]

    assert metric["groups"] == [{"group": {"/currency": "EUR"}, "from_value": "2", "to_value": "3"}]
    assert [each["event_id"] for each in metric["contributions"]] == [late[0]["event_id"]]
    assert "delta" not in metric


def test_that_are_kept_stay_as_they_are(application: Application, storage: Storage) -> None:
    store = DynamoKeptValues(clients.dynamodb(), SETTINGS["AGGREGATES_TABLE"], lambda _: None)
    key = ValuesKey(Version("order-1", Day(DAY), "a-replay"), "d" * 64, "i" * 64)

    before = store.find(key)
    store.keep(key, {(): "7", ("EUR", "north"): "1.10"})
    store.keep(key, {(): "8"})

    assert (before, store.find(key)) == (None, {(): "7", ("EUR", "north"): "1.10"})
    assert len(kept(storage)) == 1
