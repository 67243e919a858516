"""The page about scale says what is counted, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench.markdown import filled
from bench.meter import item_size, read_units, write_units
from bench.metered_aws import MeteredAws
from bench.replay_costs import (
    ALONE,
    BATCHES,
    REPLAY_ID,
    SCATTERED,
    SHAPES,
    TOGETHER,
    Shape,
    keep_job,
    planned,
    processed,
    sizes,
)
from bench.scale import BILLION, FORTY_JOBS, PAGE, TEN_JOBS, WORKINGS, blocks, workings
from bench.scale_model import INSTALLED, NEW_TABLE, Model
from chalicelib.replays import estimate


@pytest.mark.parametrize(("path", "parts"), [(PAGE, blocks), (WORKINGS, workings)], ids=["page", "workings"])
def test_a_page_shows_what_is_counted_now(path: Path, parts: Callable[[], Mapping[str, str]]) -> None:
    page = path.read_text()

    assert filled(page, parts(), "bench.scale") == page, "python -m bench.scale --write brings it up to date"


def test_planning_costs_a_call_for_ten_events_or_little_more() -> None:
    assert planned().each(planned().calls) <= 0.11


def test_processing_costs_few_calls_where_messages_share_a_raw_object() -> None:
    in_tens, in_hundreds = (processed(TOGETHER, batch) for batch in (10, 100))

    assert in_tens.each(in_tens.calls) <= 0.4
    assert in_hundreds.each(in_hundreds.calls) <= 0.1


def test_a_raw_object_of_its_own_costs_each_message_a_call() -> None:
    assert [processed(ALONE, batch).calls["GetObject"] for batch in BATCHES] == list(BATCHES)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_each_message_costs_two_units_and_the_rest_are_versions_and_counters_written_once_a_transaction(
    shape: Shape, batch: int
) -> None:
    processing = processed(shape, batch)
    transactions = processing.calls["TransactWriteItems"]
    versions = len({shape.entity_of(number) for number in range(batch)})
    largest = 2 * write_units(sizes()["full version"])
    smallest = largest if shape.before else 2 * write_units(sizes()["new version"])

    assert transactions >= 1
    assert processing.writes.keys() == {"AggregatesTable", "ReplaysTable"}
    assert processing.writes["ReplaysTable"] == 2 * transactions
    # A version is written once more for each transaction that its messages go on in.
    of_versions = processing.writes["AggregatesTable"] - 2 * batch
    assert smallest * versions <= of_versions <= largest * (versions + transactions - 1)


def test_the_estimate_of_a_preview_is_the_dearest_case_and_hardly_more() -> None:
    dearest = max(Model(shape, batch).takes.usd for shape in SHAPES for batch in BATCHES)

    assert dearest <= estimate.AGGREGATED.usd <= 1.02 * dearest
    assert Model(SCATTERED, 10).takes.usd == dearest


def test_the_estimate_of_a_preview_is_as_slow_as_the_slowest_case_and_hardly_slower() -> None:
    slowest = min((Model(shape, batch) for shape in SHAPES for batch in BATCHES), key=_a_second)

    assert 0.9 * _a_second(slowest) <= estimate.MESSAGES_A_SECOND_A_PROCESSOR <= _a_second(slowest)
    assert 0.9 / slowest.planning_s <= estimate.AGGREGATED_A_SECOND <= 1 / slowest.planning_s


def _a_second(of: Model) -> float:
    return of.batch / of.batch_s


def test_what_binds_is_the_lowest_ceiling_of_a_table_that_had_traffic_before() -> None:
    scattered = Model(SCATTERED, 100)
    ceilings = scattered.ceilings()

    assert ceilings == sorted(ceilings, key=lambda each: each.messages_a_second)
    assert ceilings[0].name == NEW_TABLE
    assert scattered.binding() == ceilings[1]


def test_jobs_side_by_side_raise_what_is_of_one_job_and_nothing_else() -> None:
    one, ten = (
        {each.name: each.messages_a_second for each in Model(TOGETHER, 100, deployment).ceilings()}
        for deployment in (INSTALLED, replace(INSTALLED, jobs=10))
    )

    of_a_job = {name for name in one if "of a job" in name or "of a day" in name or "source and day" in name}
    assert {name for name in one if ten[name] == pytest.approx(10 * one[name])} == of_a_job
    assert {name for name in one if ten[name] == one[name]} == one.keys() - of_a_job


def test_each_deployment_of_the_page_is_faster_than_the_one_before() -> None:
    for shape in SHAPES:
        hours = [
            BILLION / Model(shape, 100, deployment).binding().messages_a_second
            for deployment in (INSTALLED, TEN_JOBS, FORTY_JOBS)
        ]
        assert hours == sorted(hours, reverse=True)


def test_the_page_names_the_hours_of_each_deployment_from_the_best_shape_to_the_worst() -> None:
    (one, same), ten, forty = (
        [
            round(BILLION / Model(shape, deployment=deployment).binding().messages_a_second / 3_600)
            for shape in (TOGETHER, SCATTERED)
        ]
        for deployment in (INSTALLED, TEN_JOBS, FORTY_JOBS)
    )
    page = " ".join(PAGE.read_text().split())

    assert one == same
    assert f"a billion messages take {one} hours. Ten jobs with" in page
    assert "take {} to {}, forty jobs with larger planners and quotas {} to {} (".format(*ten, *forty) in page


def test_calls_before_and_after_work_are_not_counted_with_it() -> None:
    aws = MeteredAws()
    keep_job(aws)
    read = aws.meter.measured(1, lambda: int(aws.replays.get(REPLAY_ID) is not None))
    keep_job(aws)

    assert read.calls == {"Query": 1}


class TestTheRulesOfDynamoDB:
    def test_an_item_is_its_names_and_values(self) -> None:
        assert item_size({"PK": {"S": "é"}}) == 2 + 2
        assert item_size({"state": {"B": b"abc"}}) == 5 + 3
        assert item_size({"n": {"N": "1234"}}) == 1 + 3
        assert item_size({"n": {"N": "-1200"}}) == 1 + 2
        assert item_size({"l": {"L": [{"S": "ab"}, {"BOOL": True}]}}) == 1 + 3 + (1 + 2) + (1 + 1)
        assert item_size({"m": {"M": {"k": {"S": "v"}}}}) == 1 + 3 + (1 + 1 + 1)

    def test_writes_cost_a_unit_for_each_kilobyte_begun(self) -> None:
        assert [write_units(size) for size in (1, 1_024, 1_025, 2_049)] == [1, 1, 2, 3]

    def test_reads_cost_a_unit_for_each_four_kilobytes_begun_or_half_of_it(self) -> None:
        assert [read_units(size, consistent=True) for size in (0, 4_096, 4_097)] == [1, 1, 2]
        assert [read_units(size, consistent=False) for size in (0, 4_096, 4_097)] == [0.5, 0.5, 1]
