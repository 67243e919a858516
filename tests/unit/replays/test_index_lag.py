"""A replay by type waits until its index, which lags, shows what was acknowledged before the request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import TryAgain
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.events.index_pages import Page, Partition, TypeDayPartition
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays import commit_batch
from chalicelib.replays import responses as replays_responses
from chalicelib.replays.destinations import Destinations
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.preview import PreviewReplay
from chalicelib.replays.request import ReplayRequest
from tests.unit.examples import INGESTED
from tests.unit.in_memory import Rows, one_by_one, origins_of
from tests.unit.json_trees import randoms
from tests.unit.replays.test_planner import BY_ENTITY, BY_TYPE, IN_WINDOW, World, ids, minutes, troubles
from tests.unit.replays.test_use_cases import KEYED, Desk

LAG_S = 5
SECOND = 1_000_000_000


@dataclass
class LaggingRows(Rows):
    """The index by type shows an event some seconds after it was accepted; entities are read consistently."""

    now: Callable[[], Instant] = lambda: INGESTED
    shown_at: dict[str, Instant] = field(default_factory=dict)

    def page(self, partition: Partition, *args: Any, **kwargs: Any) -> Page:
        found = super().page(partition, *args, **kwargs)
        if not isinstance(partition, TypeDayPartition):
            return found
        return replace(found, rows=tuple(row for row in found.rows if self.is_shown(row.event)))

    def is_shown(self, event: StoredEvent) -> bool:
        return self.shown_at[event.event_id] <= self.now()


def lagging_world() -> tuple[World, LaggingRows]:
    index = LaggingRows()
    world = World(index=index, index_lag_s=LAG_S)
    index.now = world.clock
    return world, index


def accepted(world: World, index: LaggingRows, lags_s: list[float], **members: Any) -> list[StoredEvent]:
    """Events that are acknowledged now, and shown after so many seconds each."""
    events = world.index_events(*minutes(len(lags_s)), **members)
    index.shown_at |= {
        event.event_id: shifted(world.clock(), int(lag_s * SECOND)) for event, lag_s in zip(events, lags_s, strict=True)
    }
    return events


lags = st.lists(st.floats(0, LAG_S), max_size=6)


@given(lags, lags, lags, troubles, st.sampled_from(["plain", "whole"]), st.integers(0, 2), randoms)
def test_a_replay_by_type_sends_every_event_that_was_acknowledged_before_it_was_asked_for(  # noqa: PLR0913, PLR0917  # drawn one by one
    first: list[float], second: list[float], late: list[float], ahead: list[str], days: str, redrives: int, rng: Random
) -> None:
    world, index = lagging_world()
    index.page_size = lambda: rng.randint(1, 4)
    wanted = accepted(world, index, first, entity_id="order-1")
    wanted += accepted(world, index, second, entity_id="order-2")
    job = world.request(BY_TYPE, whole_days=days == "whole")
    for _ in range(redrives):  # each makes another chain of planners, which comes at once
        world.queues.plan(job.replay_id)
    accepted(world, index, late, entity_id="order-3")
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", 3)
        world.work_off()

    assert world.job(job).state is JobState.SENT
    assert world.sent >= ids(wanted)


def test_whole_days_finds_the_days_of_every_entity_whose_events_were_acknowledged_a_moment_before() -> None:
    world, index = lagging_world()
    wanted = [
        event for name in ("order-1", "order-2") for event in accepted(world, index, [LAG_S - 0.1], entity_id=name)
    ]
    world.request(BY_TYPE, whole_days=True)

    world.work_off()

    assert world.sent == ids(wanted)


@pytest.mark.parametrize("waited_s", [0, LAG_S - 1])
def test_a_planner_that_comes_before_the_index_has_caught_up_puts_its_job_off(waited_s: int) -> None:
    world, _ = lagging_world()
    job = world.request(BY_TYPE)
    world.queues.delays_s.clear()

    assert world.plan(job.replay_id, waited_s=waited_s) == 0
    assert world.queues.delays_s == [LAG_S]
    assert world.job(job) == job


def test_a_planner_that_cannot_put_its_job_off_for_the_last_time_says_so() -> None:
    world, _ = lagging_world()
    job = world.request(BY_TYPE)
    world.troubles.ahead = iter(["none", "refused"])

    with pytest.raises(TryAgain):
        world.plan(job.replay_id, last_chance=True)

    assert world.job(job).state is JobState.FAILED


def test_a_job_that_a_planner_has_begun_is_not_put_off_again() -> None:
    world, index = lagging_world()
    world.request(BY_TYPE, rate=0.5)
    accepted(world, index, [0, 0, 0])

    world.work_off()

    assert len(world.sent) == 3


@pytest.mark.parametrize("more", [{}, {"whole_days": True, "include": {"event_types": ["order.paid"]}}])
def test_a_replay_of_an_entity_waits_for_no_index(more: dict[str, Any]) -> None:
    world, index = lagging_world()
    wanted = accepted(world, index, [LAG_S, LAG_S], entity_id="order-1007")
    job = world.request(BY_ENTITY, **more)

    world.plan(job.replay_id)

    assert world.sent == ids(wanted)


@pytest.mark.parametrize(("request_", "delay_s"), [(BY_TYPE, LAG_S), (IN_WINDOW, LAG_S), (BY_ENTITY, 0)])
def test_the_first_slice_is_queued_for_when_the_index_has_caught_up(request_: dict[str, str], delay_s: int) -> None:
    desk = Desk(lagging_world()[0])

    desk.ask(request_)

    assert desk.world.queues.delays_s == [delay_s]


def test_a_request_that_is_repeated_and_a_redrive_do_not_bring_reading_forward() -> None:
    world, index = lagging_world()
    desk = Desk(world)
    wanted = accepted(world, index, [LAG_S])
    job = desk.ask(BY_TYPE, KEYED)
    desk.ask(BY_TYPE, KEYED)
    desk.control.redrive(job.replay_id)

    world.work_off()

    assert world.sent == ids(wanted)


class TestIndexReadTo:
    """What a replay has read of the index by type."""

    def test_is_the_time_of_the_request_once_all_is_read(self) -> None:
        world, _ = lagging_world()
        job = world.request(BY_TYPE)
        before = job.index_read_to
        world.work_off()

        assert (before, world.job(job).index_read_to) == (None, job.created_at)

    @pytest.mark.parametrize("state", [JobState.PLANNING, JobState.SENDING, JobState.FAILED, JobState.CANCELLED])
    def test_is_not_known_of_a_replay_that_has_not_read_all(self, state: JobState) -> None:
        assert replace(lagging_world()[0].request(BY_TYPE), state=state).index_read_to is None

    def test_is_nothing_of_an_entity(self) -> None:
        assert replace(lagging_world()[0].request(BY_ENTITY), state=JobState.SENT).index_read_to is None


def advice(job: ReplayJob) -> str:
    said = replays_responses.job(job, job.updated_at)["advice"]
    assert said is not None
    return said


class TestAdvice:
    """What is said of a replay without events, or without reports."""

    def test_moves_no_dead_letters_back_where_planners_cannot_read_them(self) -> None:
        arn = "arn:aws:events:eu-west-1:111122223333:event-bus/billing"
        sent = replace(lagging_world()[0].request(BY_TYPE), state=JobState.SENT, sent=2)
        to_bus = replace(sent, request=sent.request.model_copy(update={"destination": "billing"}), destination_arn=arn)
        job = replace(to_bus, takes_reports=True)

        said = replays_responses.job(job, shifted(job.updated_at, 3 * 3_600 * 1_000_000_000))["advice"]

        assert said is not None
        assert "look at the dead letters of the targets of its rules. Or cancel it" in said
        assert "redrive" not in said

    def test_claims_of_a_type_only_what_its_index_shows(self) -> None:
        world, _ = lagging_world()
        job = world.request(BY_TYPE)
        world.work_off()

        assert advice(world.job(job)).startswith(
            f"The index by type shows no event that was acknowledged before {job.created_at}."
            " If one was acknowledged later, send the request again."
        )

    def test_says_of_an_entity_that_there_is_none(self) -> None:
        world, _ = lagging_world()
        job = world.request(BY_ENTITY)
        world.work_off()

        assert advice(world.job(job)).startswith("The entity has no event in this window.")

    def test_of_a_preview_by_type_speaks_of_what_the_index_shows_by_now(self) -> None:
        world, index = lagging_world()
        request = ReplayRequest.model_validate(BY_TYPE)
        preview = PreviewReplay(origins_of(index), 2, 10, LAG_S, world.clock, one_by_one, Destinations({}))
        counted = preview.count_messages(request)
        told = replays_responses.preview(counted)

        shown_to = shifted(INGESTED, -LAG_S * SECOND)
        assert told["index_read_to"] == shown_to
        assert f"acknowledged before {shown_to}" in (told["advice"] or "")
