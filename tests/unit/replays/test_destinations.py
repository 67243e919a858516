"""Destinations: what a stage declares, and that batches, window and order are what a destination says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.timestamps import nanoseconds
from chalicelib.replays.destinations import (
    TO_AGGREGATES,
    DeclaredDestination,
    DestinationKind,
    Destinations,
    destinations_in,
    principal_of,
)
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.rate_limit import MOST_BEHIND_S
from chalicelib.replays.tasks import ReplayTask
from tests.unit.replays.test_planner import BY_TYPE, World

ROLE = "arn:aws:iam::111122223333:role/consumers/billing"


@pytest.mark.parametrize(
    ("signer", "may"),
    [
        (ROLE, True),
        ("arn:aws:sts::111122223333:assumed-role/billing/i-0123", True),
        ("arn:aws-cn:sts::111122223333:assumed-role/billing/role", True),
        ("arn:aws:sts::111122223333:assumed-role/ledger/billing", False),
        ("arn:aws:sts::444455556666:assumed-role/billing/i-0123", False),
        ("arn:aws:iam::111122223333:user/billing", False),
        ("arn:aws:sts::111122223333:federated-user/billing", False),
        ("arn:aws:iam::111122223333:root", False),
    ],
)
def test_a_reporter_is_known_by_account_and_name_whatever_its_session_and_path(signer: str, *, may: bool) -> None:
    reporters = (principal_of(ROLE), principal_of("arn:aws:iam::111122223333:user/teams/ana"))
    known = Destinations(
        {"billing": DeclaredDestination("billing", "arn:of:it", takes_reports=True, reporters=reporters)}
    )

    assert known.may_report("billing", signer) is may
    assert known.may_report("billing", "arn:aws:iam::111122223333:user/ana")


def test_any_signer_may_report_where_no_reporter_is_named_and_none_where_the_destination_is_gone() -> None:
    known = Destinations({"billing": DeclaredDestination("billing", "arn:of:it", takes_reports=True)})

    assert [known.may_report(name, ROLE) for name in ("billing", "gone")] == [True, False]


@dataclass
class Archive:
    """A destination that is not a queue."""

    messages_a_batch: int
    max_in_flight: int | None = None
    rate: float | None = None
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
    asked = world.request(BY_TYPE, destination="archive")
    job = world.jobs.by_id[asked.replay_id] = replace(asked, destination_arn="arn:of-the-archive")
    declared = DeclaredDestination("archive", "arn:of-the-archive")
    planner = replace(world.planner, destination_of={declared: archive}.__getitem__)
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


STAGE = destinations_in(
    '{"aggregates": {"arn": "arn:aws:sqs:eu-west-1:1:q"}, "billing": {"arn": "arn:aws:sqs:eu-west-1:2:b.fifo"},'
    ' "news": {"arn": "arn:aws:events:eu-west-1:2:event-bus/n", "reports": true}}'
)


def test_a_destination_that_is_not_declared_is_refused_with_all_that_are_and_a_near_one() -> None:
    with pytest.raises(InvalidRequest) as refused:
        STAGE.named("biling")

    [fault] = refused.value.faults
    said = "is biling, which is not declared. Did you mean billing? Declared: aggregates, billing, news"
    assert (fault.field, fault.message) == ("destination", said)


def test_an_arn_says_what_kind_a_destination_is() -> None:
    kinds = [STAGE.named(name).kind for name in STAGE.arns]

    assert kinds == [DestinationKind.QUEUE, DestinationKind.FIFO, DestinationKind.EVENTBRIDGE]


def test_the_processor_reports_what_became_of_messages_and_others_if_they_are_declared_so() -> None:
    assert [name for name in STAGE.arns if STAGE.named(name).reports] == [TO_AGGREGATES, "news"]


RATE = 4.0
"""Of the archive, in messages a second: one message a turn."""


def test_replays_to_a_destination_share_its_rate() -> None:
    world, archive = World(), Archive(messages_a_batch=1, rate=RATE)
    world.index_events(*(f"2026-11-21T{time}:00Z" for time in TIMES))
    jobs = [world.request(BY_TYPE, destination="archive") for _ in range(3)]
    planner = replace(world.planner, destination_of=lambda _: archive)
    began = world.clock()

    while any(world.jobs.by_id[job.replay_id].state is not JobState.SENT for job in jobs):
        for job in jobs:
            planner.plan_slice(ReplayTask(job.replay_id), lambda: 0)
        world.clock.sleep(0.05)

    took_s = (nanoseconds(world.clock()) - nanoseconds(began)) / 1_000_000_000
    assert len(archive.sent) == 30
    assert took_s >= (30 - 1) / RATE - MOST_BEHIND_S


def test_a_planner_without_a_turn_ends_and_is_called_when_there_is_one() -> None:
    world, archive = World(), Archive(messages_a_batch=1, rate=0.1)
    world.index_events("2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")
    job = world.request(BY_TYPE, destination="archive")
    world.jobs.take_turn("archive", 1, 0.1, world.clock())

    sent = replace(world.planner, destination_of=lambda _: archive).plan_slice(
        ReplayTask(job.replay_id), lambda: 900_000
    )

    assert (sent, archive.sent) == (0, [])
    assert world.queues.delays_s[-1] in (8, 9)  # the first turn of all makes up for a second


def test_a_destination_that_stands_still_slows_no_other() -> None:
    world, archive = World(), Archive(messages_a_batch=100, rate=0.1)
    world.index_events(*(f"2026-11-21T{time}:00Z" for time in TIMES))
    world.jobs.take_turn("archive", 100, 0.1, world.clock())
    stuck = world.request(BY_TYPE, destination="archive")
    other = world.request(BY_TYPE)
    to_others = world.planner.destination_of
    planner = replace(world.planner, destination_of=lambda to: archive if to.name == "archive" else to_others(to))

    for job in (stuck, other):
        planner.plan_slice(ReplayTask(job.replay_id), lambda: 900_000)

    assert archive.sent == []
    assert len(world.queues.sent) == 10
    assert world.jobs.by_id[other.replay_id].state is JobState.SENT


@pytest.mark.parametrize(
    ("queue", "made"),
    [
        ("retrace-prod-to-billing", True),
        ("retrace-prod-eu-to-billing.fifo", True),
        ("events-to-billing", False),
        ("retrace-prod-to-billing-old", False),
        ("retrace-prod-to-other", False),
    ],
)
def test_a_queue_is_made_by_a_stage_if_it_has_the_name_of_one(queue: str, *, made: bool) -> None:
    destination = DeclaredDestination("billing", f"arn:aws:sqs:eu-west-1:111122223333:{queue}")

    assert destination.is_made_by_stage is made
