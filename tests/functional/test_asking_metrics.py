"""What callers ask of a metric: which events make it, and which make a difference of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.application import Application
from tests.functional.events import DAY, Json, paid
from tests.functional.test_metrics_of_replays import (
    LARGEST,
    REVENUE,
    WHOLE_DAY,
    accept,
    amounts,
    define,
    sha256_of,
)

ENTITY_DAY = {"entity_id": "order-1", "day": DAY}


def compared(application: Application, from_: str, to: str, metric: str) -> Any:
    return application.get("/aggregates/diff", **ENTITY_DAY, metric=metric, **{"from": from_, "to": to})


class TestDifference:
    def test_has_each_event_with_what_it_contributed_to_both_versions(self, application: Application) -> None:
        revenue = define(application, "revenue", REVENUE)
        accept(application, *amounts("10", "2.50"))
        before = application.replayed(**WHOLE_DAY)
        late = accept(application, *amounts("0", "0", "1.1", '"x"')[2:])
        after = application.replayed(**WHOLE_DAY)

        metric = compared(application, before, after, "revenue").json_body["metric"]

        contributions = metric.pop("contributions")
        assert metric == {
            "name": "revenue",
            "from_definition_sha256": revenue,
            "to_definition_sha256": revenue,
            "differs": ["inputs"],
            "from_value": "12.5",
            "to_value": "13.6",
            "delta": "1.1",
            "groups": [{"group": {"/currency": "EUR"}, "from_value": "12.5", "to_value": "13.6", "delta": "1.1"}],
        }
        assert [
            (one["event_id"], one["from_value"], one["to_value"], one["to_group"], one.get("to_skipped"))
            for one in contributions
        ] == [
            (late[0]["event_id"], None, "1.1", {"/currency": "EUR"}, None),
            (late[1]["event_id"], None, None, {}, "/amount is not a number"),
        ]

    def test_of_a_replay_that_runs_says_how_far_it_is(self, application: Application) -> None:
        define(application, "revenue", REVENUE)
        accept(application, *amounts("10", "2.50", "1"))
        before = application.replayed(**WHOLE_DAY)
        running, messages = application.planned(**WHOLE_DAY)
        application.process(messages[:1])

        halfway = compared(application, before, running, "revenue").json_body
        application.process(messages[1:])
        complete = compared(application, before, running, "revenue").json_body

        assert halfway["incomplete"] == {"to": "Its replay is SENT, with 1 of 3 sent messages processed."}
        assert ("incomplete" in complete, complete["metric"]["delta"]) == (False, "0")

    def test_of_a_what_if_says_that_the_definition_differs_and_names_events_of_both(
        self, application: Application
    ) -> None:
        define(application, "revenue", REVENUE)
        accept(application, *amounts("10", "2.50"))
        real = application.replayed(**WHOLE_DAY)
        draft: Json = {"name": "revenue", "aggregate": "count", "where": [{"path": "/amount", "equals": 10}]}
        what_if = application.replayed(**WHOLE_DAY, metrics=[draft])

        answer = compared(application, real, what_if, "revenue").json_body

        metric = answer["metric"]
        assert (metric["differs"], metric["delta"]) == (["definition"], "-11.5")
        assert metric["to_definition_sha256"] == sha256_of("revenue", draft)
        values = {(one["from_value"], one["to_value"]) for one in metric["contributions"]}
        assert values == {("10", "1"), ("2.5", None)}
        assert answer["counts"] == {"only_in_from": 0, "only_in_to": 0, "changed": 0, "shared": 2}

    def test_is_left_out_unless_a_metric_is_named(self, application: Application) -> None:
        accept(application, *amounts("10"))
        replays = [application.replayed(**WHOLE_DAY) for _ in range(2)]

        answer = application.get("/aggregates/diff", **ENTITY_DAY, **dict(zip(("from", "to"), replays, strict=True)))

        assert "metric" not in answer.json_body

    def test_of_an_unknown_metric_is_404_and_of_a_wrong_name_400(self, application: Application) -> None:
        accept(application, *amounts("10"))
        replay_id = application.replayed(**WHOLE_DAY)

        unknown, wrong = (compared(application, replay_id, replay_id, name) for name in ("revenue", "Revenue"))

        assert (unknown.status_code, wrong.status_code) == (404, 400)
        for response in (unknown, wrong):
            assert [each["field"] for each in response.json_body["errors"]] == ["metric"]


def inputs_of(application: Application, replay_id: str, **query: str) -> Any:
    return application.get("/aggregates/inputs", **ENTITY_DAY, replay_id=replay_id, **query)


class TestInputs:
    def test_have_what_each_contributed_or_why_it_was_skipped(self, application: Application) -> None:
        revenue = define(application, "revenue", REVENUE | {"event_types": ["order.paid"]})
        results = accept(application, *amounts("1.10", str(2**103), '"x"'))
        application.accept(paid(9, event_type="order.noted", payload={"amount": 7}))
        replay_id = application.replayed(**WHOLE_DAY)

        answer = inputs_of(application, replay_id, metric="revenue").json_body

        found = {each["event_id"]: each for each in answer["items"]}
        said = [found.pop(each["event_id"]) for each in results]
        assert [(each["value"], each["group"], each.get("skipped")) for each in said] == [
            ("1.1", {"/currency": "EUR"}, None),
            (str(2**103), {"/currency": "EUR"}, None),
            (None, {}, "/amount is not a number"),
        ]
        [unselected] = found.values()
        assert (unselected["value"], unselected["group"], "skipped" in unselected) == (None, {}, False)
        assert (answer["definition_sha256"], "exact" in answer) == (revenue, False)

    def test_have_the_same_contributions_in_pages_of_any_size(self, application: Application) -> None:
        define(application, "revenue", REVENUE)
        accept(application, *amounts("1", "2", "3"))
        replay_id = application.replayed(**WHOLE_DAY)
        whole = inputs_of(application, replay_id, metric="revenue").json_body["items"]

        first = inputs_of(application, replay_id, metric="revenue", limit="2").json_body
        cursor = first["cursor"]
        rest = inputs_of(application, replay_id, metric="revenue", limit="2", cursor=cursor).json_body
        foreign = inputs_of(application, replay_id, limit="2", cursor=cursor)

        assert first["items"] + rest["items"] == whole
        assert foreign.status_code == 400

    def test_by_contribution_are_the_biggest_by_magnitude_and_only_those_that_contributed(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        define(application, "revenue", REVENUE)
        accept(application, *amounts("1", "-30", "2.5", '"x"', "2.50", "9E-7"))
        replay_id = application.replayed(**WHOLE_DAY)
        monkeypatch.setattr("chalicelib.aggregates.tracing.ROWS_A_READ", 2)

        every = inputs_of(application, replay_id, metric="revenue", by="contribution").json_body
        three = inputs_of(application, replay_id, metric="revenue", by="contribution", limit="3").json_body

        assert [each["value"] for each in every["items"]] == ["-30", "2.5", "2.5", "1", "0.0000009"]
        tied = [(each["event_time"], each["event_id"]) for each in every["items"][1:3]]
        assert tied == sorted(tied)
        assert (every["exact"], every["cursor"]) == (True, None)
        assert three["items"] == every["items"][:3]

    def test_by_contribution_say_if_the_version_has_more_than_a_request_reads(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        define(application, "revenue", REVENUE)
        accept(application, *amounts(*map(str, range(1, 9))))
        replay_id = application.replayed(**WHOLE_DAY)
        monkeypatch.setattr("chalicelib.aggregates.tracing.ROWS_A_READ", 4)
        monkeypatch.setattr("chalicelib.aggregates.tracing.REQUEST_US", 1)

        answer = inputs_of(application, replay_id, metric="revenue", by="contribution", limit="3").json_body
        first_four = inputs_of(application, replay_id, metric="revenue", limit="4").json_body["items"]

        assert {each["event_id"] for each in answer["items"]} < {each["event_id"] for each in first_four}
        assert answer["exact"] is False
        assert len(answer["items"]) == 3

    @pytest.mark.parametrize(
        ("query", "status", "field"),
        [
            ({"by": "contribution"}, 400, "by"),
            ({"by": "size", "metric": "currencies"}, 400, "by"),
            ({"by": "contribution", "metric": "currencies"}, 400, "by"),
            ({"metric": "nowhere"}, 404, "metric"),
            ({"metric": "currencies", "replay_id": "other"}, 404, "replay_id"),
        ],
    )
    def test_of_what_cannot_be_asked_name_the_parameter(
        self, application: Application, query: dict[str, str], status: int, field: str
    ) -> None:
        define(application, "currencies", {"aggregate": "distinct", "value": "/currency"})
        accept(application, *amounts("1"))
        replay_id = application.replayed(**WHOLE_DAY)

        response = application.get("/aggregates/inputs", **{**ENTITY_DAY, "replay_id": replay_id, **query})

        assert response.status_code == status
        assert [each["field"] for each in response.json_body["errors"]] == [field]


def test_versions_have_the_metric_that_is_named_and_no_other(application: Application) -> None:
    accept(application, *amounts("1"))
    application.replayed(**WHOLE_DAY)
    define(application, "revenue", REVENUE)
    define(application, "largest", LARGEST)
    application.replayed(**WHOLE_DAY)

    newer, older = application.get("/aggregates", **ENTITY_DAY, metric="revenue").json_body["versions"]

    assert {each["name"] for each in newer["metrics"]} == {"revenue"}
    assert older["metrics"] == []
