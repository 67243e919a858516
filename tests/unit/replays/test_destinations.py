"""A third destination is an entry beside the others: batches, window and order are what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import cast

import pytest

from chalicelib.replays.messages import ReplayMessage, ReplayOrder
from chalicelib.replays.ports import Destination
from chalicelib.replays.tasks import ReplayTask
from tests.unit.replays.test_planner import BY_TYPE, World


class Order(StrEnum):
    """`ReplayOrder` as it would be with one more member."""

    ENTITY = "entity"
    ARCHIVE = "archive"


@dataclass
class Archive:
    """A destination that is not a queue."""

    messages_a_batch: int
    max_in_flight: int | None = None
    ordered: bool = False
    name: str = "archive"
    batches: list[list[ReplayMessage]] = field(default_factory=list)

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        self.batches.append(list(messages))

    @property
    def sent(self) -> list[ReplayMessage]:
        return [message for batch in self.batches for message in batch]


def planned(archive: Archive) -> World:
    """A world in which one slice of a replay to the archive was planned, of ten events of two entities in turn."""
    world = World()
    for number, time in enumerate(TIMES):
        world.index_events(f"2026-11-21T{time}:00Z", entity_id=f"order-{number % 2}")
    job = world.request(BY_TYPE)
    order = cast("ReplayOrder", Order.ARCHIVE)
    world.jobs.by_id[job.replay_id] = replace(job, request=job.request.model_copy(update={"order": order}))
    third: dict[ReplayOrder | None, Destination] = {order: archive}
    planner = replace(world.planner, destinations={**world.planner.destinations, **third})
    planner.plan_slice(ReplayTask(job.replay_id), lambda: 900_000)
    return world


TIMES = [f"{hour:02}:30" for hour in range(10)]


def test_messages_go_to_the_destination_of_their_replay_and_name_it() -> None:
    archive = Archive(messages_a_batch=100)

    world = planned(archive)

    assert [message.destination for message in archive.sent] == ["archive"] * 10
    assert world.queues.sent == world.queues.sent_in_order == []


def test_a_batch_has_as_many_messages_as_its_destination_takes() -> None:
    archive = Archive(messages_a_batch=4)

    planned(archive)

    assert [len(batch) for batch in archive.batches] == [4, 4, 2]


@pytest.mark.parametrize(("window", "sent"), [(None, 10), (7, 4), (8, 8)])
def test_no_more_is_in_flight_than_a_destination_with_a_window_allows(window: int | None, sent: int) -> None:
    archive = Archive(messages_a_batch=4, max_in_flight=window)

    planned(archive)

    assert len(archive.sent) == sent


@pytest.mark.parametrize(("ordered", "times"), [(True, TIMES), (False, TIMES[::2] + TIMES[1::2])])
def test_messages_come_in_order_of_time_to_an_ordered_destination_and_by_entity_to_others(
    *, ordered: bool, times: list[str]
) -> None:
    archive = Archive(messages_a_batch=100, ordered=ordered)

    planned(archive)

    assert [message.event_time[11:16] for message in archive.sent] == times
