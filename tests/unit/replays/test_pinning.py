"""Which definitions a replay computes: chosen at its request, by name or inline, or all that are active."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.replay_ids import is_what_if
from chalicelib.metrics.definition import BUILT_IN
from chalicelib.replays.chosen_metrics import MAX_METRICS
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.dynamodb_rows import job_row, request_row
from chalicelib.replays.job import PinnedMetric
from chalicelib.replays.pinning import SHORT, PinMetrics
from chalicelib.replays.request_body import parse_with_drafts
from tests.unit.definitions_in_memory import DefinitionsInMemory, defined
from tests.unit.replays.test_planner import BY_ENTITY
from tests.unit.replays.test_use_cases import Desk

REVENUE = defined(name="revenue", aggregate="sum", value="/amount")
LARGEST = defined(name="largest", aggregate="max", value="/amount")
DRAFT: dict[str, Any] = {"name": "revenue", "aggregate": "sum", "value": "/net"}


def pinned(*names: str | dict[str, Any], of: DefinitionsInMemory) -> list[str]:
    """The hashes that a request pins."""
    parsed = parse_with_drafts(json.dumps(BY_ENTITY | {"metrics": names}).encode())
    return [each.sha256 for each in PinMetrics(of).chosen(parsed.request, parsed.drafts) or []]


def a_desk(*definitions: Any) -> Desk:
    desk = Desk(definitions=DefinitionsInMemory.of(*definitions))
    desk.world.jobs.metrics_defined = bool(definitions)
    return desk


def test_a_replay_pins_all_active_metrics_unless_its_request_names_some() -> None:
    desk = a_desk(REVENUE, LARGEST)
    desk.definitions.retired.add("largest")

    assert desk.ask(BY_ENTITY).metrics == (PinnedMetric("revenue", REVENUE.sha256),)
    assert desk.ask(BY_ENTITY, metrics=["largest"]).metrics == (PinnedMetric("largest", LARGEST.sha256),)
    assert desk.ask(BY_ENTITY, metrics=[]).metrics == ()


def test_a_stage_without_metrics_is_asked_for_none_and_its_jobs_are_as_they_were() -> None:
    desk = a_desk()

    job = desk.ask(BY_ENTITY)

    assert desk.definitions.asked == []
    assert "metrics" not in job_row(job).keys() | request_row(job).keys()


def test_a_draft_makes_a_what_if_and_is_kept_before_the_job_is() -> None:
    desk = a_desk(REVENUE)

    job = desk.ask(BY_ENTITY, metrics=["revenue", DRAFT])

    draft = defined(**DRAFT)
    assert [each.definition_sha256 for each in job.metrics] == [REVENUE.sha256, draft.sha256]
    assert desk.definitions.kept[draft.sha256] == draft
    assert job.request.is_what_if


def test_a_what_ifs_id_says_so() -> None:
    desk = a_desk()
    ids = ["01a22d03-0c4c-7d6d-aec0-8396daa0351e", "01a22d03-0c4d-7d6d-aec0-8396daa0351e"]
    desk.id_at = lambda millisecond: ids[millisecond % 2]  # type: ignore[method-assign]  # UUIDs, as in a stage

    assert [is_what_if(desk.ask(BY_ENTITY, metrics=given).replay_id) for given in ([], [DRAFT])] == [False, True]


def test_a_replay_to_a_consumer_pins_no_metric_and_takes_none() -> None:
    desk = a_desk(REVENUE)
    elsewhere = BY_ENTITY | {"destination": "billing"}

    assert desk.ask(elsewhere).metrics == ()
    assert desk.definitions.asked == []
    for chosen in (["revenue"], [DRAFT], []):
        with pytest.raises(InvalidRequest) as refused:
            desk.ask(elsewhere, metrics=chosen)
        [fault] = refused.value.faults
        told = "is only for aggregates: a replay to billing computes no metric. Leave out one of the two"
        assert (fault.field, fault.message) == ("metrics", told)
    assert desk.definitions.kept.keys() == {REVENUE.sha256}


def test_what_is_built_in_may_be_named_and_is_computed_once() -> None:
    definitions = DefinitionsInMemory.of(REVENUE)

    assert pinned(BUILT_IN[0].name, "revenue", of=definitions) == [REVENUE.sha256]


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        (["nowhere"], ["metrics.0"]),
        (["revenue", "nowhere", "neither"], ["metrics.1", "metrics.2"]),
        (["revenue", "revenue"], ["metrics"]),
        (["Revenue"], ["metrics.0"]),
        ([{"name": "x"}], ["metrics.0.aggregate"]),
        ([DRAFT, {"name": "x", "aggregate": "median", "value": "/y"}], ["metrics.1.aggregate"]),
        ([f"metric_{n}" for n in range(21)], ["metrics"]),
        ([1], ["metrics.0"]),
    ],
)
def test_what_cannot_be_pinned_is_refused_with_every_fault(chosen: list[Any], fields: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        pinned(*chosen, of=DefinitionsInMemory.of(REVENUE))

    assert [fault.field for fault in refused.value.faults] == fields


def test_metrics_are_a_list() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_with_drafts(json.dumps(BY_ENTITY | {"metrics": "revenue"}).encode())

    assert [fault.field for fault in refused.value.faults] == ["metrics"]


def test_more_metrics_than_fit_into_a_row_are_refused_with_what_to_do() -> None:
    many = [defined(name=f"m{number}", aggregate="count") for number in range(MAX_METRICS + 1)]

    assert len(PinMetrics(DefinitionsInMemory.of(*many[1:])).active(TO_AGGREGATES)) == MAX_METRICS
    with pytest.raises(InvalidRequest) as refused:
        PinMetrics(DefinitionsInMemory.of(*many)).active(TO_AGGREGATES)

    assert [str(fault.message) for fault in refused.value.faults] == [
        "are 21, as many as are active, and a replay computes 20: retire some, or name some"
    ]


def test_definitions_that_rows_could_not_tell_apart_are_refused() -> None:
    class Alike(DefinitionsInMemory):
        def active(self) -> list[Any]:
            other = defined(**DRAFT)
            object.__setattr__(other, "__dict__", {**other.__dict__, "sha256": REVENUE.sha256[:SHORT] + "f" * 56})
            return [REVENUE, other]

    with pytest.raises(InvalidRequest, match="not valid"):
        PinMetrics(Alike()).active(TO_AGGREGATES)
