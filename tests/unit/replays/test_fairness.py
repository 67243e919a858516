"""A thousand replays at once: planners take their slices in turn, so a small one never waits for a large one to end."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

from chalicelib.events.index_pages import EntityPartition, Page, Partition
from chalicelib.replays import commit_batch, planner
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.runtime.event_sources import PLANNERS
from tests.unit.examples import INGESTED
from tests.unit.in_memory import Rows
from tests.unit.replays.test_planner import BY_ENTITY, World, minutes

JOBS = 1_000
MESSAGES_A_SLICE = 4
LARGEST = 100 * MESSAGES_A_SLICE


@dataclass
class RowsByEntity(Rows):
    """An index in which each entity has rows of its own, so that reading one costs nothing of the others."""

    of: dict[str, Rows] = field(default_factory=dict)

    def page(self, partition: Partition, *args: Any, **kwargs: Any) -> Page:
        assert isinstance(partition, EntityPartition)
        return self.of[partition.entity_id].page(partition, *args, **kwargs)


@dataclass
class Crowd:
    """Replays of one entity each, their slices on one queue, and as many planners as may run at once."""

    world: World = field(default_factory=lambda: World(index=RowsByEntity()))
    slices: Counter[str] = field(default_factory=Counter)
    waiting: deque[str] = field(default_factory=deque)

    def ask(self, messages: int) -> ReplayJob:
        """A replay of so many messages, the last on the queue."""
        entity_id, index = f"entity-{len(self.world.jobs.by_id)}", self.world.index
        assert isinstance(index, RowsByEntity)
        own = World()
        own.index_events(*minutes(messages), entity_id=entity_id)
        index.of[entity_id] = own.index
        job = self.world.request(BY_ENTITY, entity_id=entity_id)
        self._queue()
        return job

    def round(self) -> None:
        """Every planner takes the slice whose turn it is; what follows is queued as they end."""
        for replay_id in [self.waiting.popleft() for _ in range(min(PLANNERS, len(self.waiting)))]:
            self.world.plan(replay_id)
            self.slices[replay_id] += 1
            self._queue()

    def _queue(self) -> None:
        self.waiting += self.world.queues.to_plan
        self.world.queues.to_plan.clear()

    def is_done(self, job: ReplayJob) -> bool:
        return self.world.job(job).state is JobState.SENT

    @property
    def sent(self) -> int:
        """How many messages all of them have sent."""
        return len(self.world.queues.sent)

    @property
    def turns_of_the_active(self) -> list[int]:
        """How many slices those have had that are not done yet."""
        return [self.slices[job.replay_id] for job in self.world.jobs.by_id.values() if job.state is not JobState.SENT]


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    """A thousand replays, of one message up to a hundred slices."""
    monkeypatch.setattr(commit_batch, "MESSAGES_A_BATCH", MESSAGES_A_SLICE // 2)
    monkeypatch.setattr(planner, "BATCHES_A_SLICE", 2)
    rng, crowd = Random(4), Crowd()
    sizes = [rng.choice([1, 3, MESSAGES_A_SLICE, 3 * MESSAGES_A_SLICE]) for _ in range(JOBS - 10)] + [LARGEST] * 10
    for size in rng.sample(sizes, JOBS):
        crowd.ask(size)
    return crowd


def test_no_replay_is_ever_more_than_a_slice_ahead_of_another(crowd: Crowd) -> None:
    apart = 0
    while crowd.waiting:
        crowd.round()
        turns = crowd.turns_of_the_active or [0]
        apart = max(apart, max(turns) - min(turns))

    assert apart == 1
    assert all(map(crowd.is_done, crowd.world.jobs.by_id.values()))


def test_a_small_replay_that_comes_last_is_done_after_one_turn_of_all_others(crowd: Crowd) -> None:
    for _ in range(3):
        crowd.round()
    small, before, others = crowd.ask(MESSAGES_A_SLICE - 1), crowd.sent, len(crowd.waiting)

    while not crowd.is_done(small):
        crowd.round()

    assert crowd.sent - before <= (others + PLANNERS) * MESSAGES_A_SLICE


def test_a_replay_that_waits_for_its_messages_lets_others_have_its_turn(crowd: Crowd) -> None:
    crowd.world.max_in_flight = MESSAGES_A_SLICE
    first = next(iter(crowd.world.jobs.by_id.values()))
    crowd.world.jobs.by_id[first.replay_id] = replace(first, sent=MESSAGES_A_SLICE, updated_at=INGESTED)

    for _ in range(JOBS // PLANNERS):
        crowd.round()

    assert crowd.slices[first.replay_id] == 1
    assert crowd.slices.total() == JOBS
