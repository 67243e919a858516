"""What callers ask of a metric: which events make it, and which make a difference of it."""

from __future__ import annotations

from typing import Any

from tests.functional.application import Application
from tests.functional.events import DAY, Json
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
        }
        assert [
            (one["event_id"], one["from_value"], one["to_value"], one["to_group"], one.get("to_skipped"))
            for one in contributions
        ] == [
            (late[0]["event_id"], None, "1.1", {"/currency": "EUR"}, None),
            (late[1]["event_id"], None, None, {}, "/amount is not a number"),
        ]

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

    def test_of_an_unknown_metric_is_404_and_of_one_that_does_not_add_up_400(self, application: Application) -> None:
        define(application, "largest", LARGEST)
        accept(application, *amounts("10"))
        replay_id = application.replayed(**WHOLE_DAY)

        unknown, largest, wrong = (
            compared(application, replay_id, replay_id, name) for name in ("revenue", "largest", "Revenue")
        )

        assert (unknown.status_code, largest.status_code, wrong.status_code) == (404, 400, 400)
        for response in (unknown, largest, wrong):
            assert [each["field"] for each in response.json_body["errors"]] == ["metric"]
