"""Replays of only what is missing send exactly that, whatever consumers did, and wherever planners die."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.timestamps import shifted
from chalicelib.replays import commit_batch, origins
from chalicelib.replays.job import OUTBOXES_KEPT_DAYS, JobState, ReplayJob
from chalicelib.replays.messages import MessageIdentity, ReplayMessage
from chalicelib.replays.request import ReplayRequest
from tests.unit.examples import INGESTED
from tests.unit.in_memory import Ended, Rows
from tests.unit.json_trees import randoms
from tests.unit.replays.test_planner import BY_ENTITY, BY_TYPE, World, ids, minutes, troubles

IN_DAYS = {
    "source": "shop/checkout",
    "event_types": ["order.paid"],
    "start_time": "2026-11-21T00:00:00Z",
    "end_time": "2026-11-23T00:00:00Z",
}
"""The same selection as that of BY_TYPE, in other words."""

BILLING = {"destination": "billing"}

CALLS_BEFORE_THE_COMMIT = 6


def unprocessed(of: ReplayJob, **members: Any) -> dict[str, Any]:
    return {"only": "unprocessed", "of": of.replay_id, **members}


def messages_of(world: World, job: ReplayJob) -> list[ReplayMessage]:
    return [each for each in (*world.queues.sent, *world.queues.sent_in_order) if each.replay_id == job.replay_id]


def identities_of(world: World, job: ReplayJob) -> Counter[MessageIdentity]:
    """How often each message was sent: a planner that died sends a batch again."""
    return Counter(message.identity for message in messages_of(world, job))


def process(world: World, job: ReplayJob, identities: Any) -> None:
    """The consumer processes these messages, or reports them done: the others it lost, or they failed."""
    world.ledger.done |= {(job.replay_id, identity) for identity in identities}


@given(
    st.sampled_from([BY_ENTITY, BY_TYPE, BY_ENTITY | BILLING, BY_TYPE | BILLING]),
    st.booleans(),
    st.integers(0, 30),
    st.lists(troubles, min_size=2, max_size=4),
    st.sampled_from([(1, 1, 1), (3, 2, 1), (2_000, 500, 100)]),
    randoms,
)
def test_each_replay_of_a_chain_sends_exactly_what_its_consumer_left_of_the_one_before(  # noqa: PLR0913, PLR0917  # drawn one by one
    request: dict[str, Any],
    duplicates: bool,  # noqa: FBT001  # drawn
    count: int,
    aheads: list[list[str]],
    sizes: tuple[int, int, int],
    rng: Random,
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 9)))
    for event in world.index_events(*minutes(count)):
        world.arrive_again(event, rng.randint(0, 2))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", sizes[0])
        patched.setattr(origins, "LOOKED_UP_TOGETHER", sizes[1])
        patched.setattr(origins, "LOOKED_UP_A_CALL", sizes[2])
        job = world.request(request, include_duplicates=duplicates)
        for ahead in aheads:
            world.troubles.ahead = iter(ahead)
            world.work_off(rng.choice([0, 900_000]))
            world.troubles.ahead = iter(())
            sent = sorted(identities_of(world, job), key=repr)
            assert (world.job(job).state, world.job(job).sent) == (JobState.SENT, len(sent))
            done = rng.sample(sent, rng.randint(0, len(sent)))
            process(world, job, done)
            world.index_events(
                f"2026-11-21T23:00:0{rng.randint(0, 9)}Z"
            )  # what arrives since is no event of that replay
            job = world.request(unprocessed(job))
            before, left = len(sent), set(sent) - set(done)
            world.work_off()
            assert identities_of(world, job).keys() == left
            assert (world.job(job).scanned, world.job(job).matched, world.job(job).sent) == (
                before,
                len(left),
                len(left),
            )


@given(
    st.integers(0, 25),
    st.lists(st.tuples(st.sampled_from(["billing", "shipping", "aggregates"]), troubles), max_size=4),
    troubles,
    st.sampled_from([(1, 1, 1), (3, 2, 1), (2_000, 500, 100)]),
    randoms,
)
def test_only_events_go_to_a_destination_that_no_replay_sent_there(
    count: int, earlier: list[tuple[str, list[str]]], ahead: list[str], sizes: tuple[int, int, int], rng: Random
) -> None:
    world = World(index=Rows(page_size=lambda: rng.randint(1, 9)))
    events = world.index_events(*minutes(count))
    for event in events:
        world.arrive_again(event, rng.randint(0, 1))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_batch, "ROWS_A_BATCH", sizes[0])
        patched.setattr(origins, "LOOKED_UP_TOGETHER", sizes[1])
        patched.setattr(origins, "LOOKED_UP_A_CALL", sizes[2])
        for destination, of_planners in earlier:
            how: dict[str, Any] = {"destination": destination, "include_duplicates": rng.random() < 0.5}
            how |= {"max_messages": rng.randint(1, 9)} if rng.random() < 0.5 else {}
            world.request(rng.choice([BY_ENTITY, BY_TYPE]), **how)
            world.troubles.ahead = iter(of_planners)
            world.work_off()
        was_sent = {each.event_id for each in world.queues.sent if each.destination == "billing"}
        events += world.index_events("2026-11-22T12:00:00Z")
        job = world.request(BY_TYPE, BILLING, only="not_sent_to")
        world.troubles.ahead = iter(ahead)
        world.work_off(rng.choice([0, 900_000]))
        again = world.request(BY_ENTITY, BILLING, only="not_sent_to")
        world.troubles.ahead = iter(())
        world.work_off()

    wanted = ids(events) - was_sent
    assert {message.event_id for message in messages_of(world, job)} == wanted
    assert (world.job(job).scanned, world.job(job).sent) == (len(events), len(wanted))
    assert messages_of(world, again) == []


def test_after_a_consumer_lost_137_of_10_000_exactly_those_are_sent() -> None:
    world = World()
    events = world.index_events(*minutes(2_880)) + world.index_events(*minutes(2_880), entity_id="b")
    events += world.index_events(*minutes(2_880), entity_id="c") + world.index_events(*minutes(1_360), entity_id="d")
    job = world.request(BY_TYPE, BILLING)
    world.work_off()
    lost = set(Random(7).sample(sorted(ids(events)), 137))
    process(world, job, ((event.event_id, None) for event in events if event.event_id not in lost))

    repeated = world.request(unprocessed(job))
    world.work_off()

    assert len(events) == world.job(job).sent == 10_000
    assert sorted(message.event_id for message in messages_of(world, repeated)) == sorted(lost)
    assert world.job(repeated).sent == 137


def test_what_is_left_of_an_ordered_replay_is_sent_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_batch, "ORDERED_MESSAGES_A_BATCH", 3)
    world = World()
    events = world.index_events(*minutes(20))
    job = world.request(BY_ENTITY, destination="ordered")
    world.work_off()
    world.jobs.by_id[job.replay_id] = replace(world.job(job), takes_reports=True)
    process(world, job, ((event.event_id, None) for event in events[::3]))

    repeated = world.request(unprocessed(job))
    world.work_off()

    left = [event.event_id for number, event in enumerate(events) if number % 3]
    assert [message.event_id for message in messages_of(world, repeated)] == left


def test_whole_days_of_what_is_left_are_sent_whole() -> None:
    world = World()
    first = world.index_events("2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")
    second = world.index_events("2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z")
    job = world.request(BY_TYPE)
    world.work_off()
    process(world, job, ((event.event_id, None) for event in [*first, second[0]]))

    repeated = world.request(unprocessed(job, whole_days=True))
    world.work_off()

    assert {message.event_id for message in messages_of(world, repeated)} == ids(second)


@pytest.mark.parametrize("calls", range(12))
def test_what_a_cancelled_replay_committed_and_may_not_have_sent_is_sent(calls: int) -> None:
    world = World()
    events = world.index_events(*minutes(5))
    job = world.request(BY_TYPE)
    world.troubles.ahead = iter([*["none"] * calls, "last"])
    with suppress(Ended):
        world.plan(job.replay_id)
    cancelled = replace(world.job(job), state=JobState.CANCELLED)
    world.jobs.by_id[job.replay_id] = cancelled
    world.troubles.ahead = iter(())
    world.queues.to_plan.clear()

    repeated = world.request(unprocessed(job))
    world.work_off()

    assert set(identities_of(world, repeated)) == {(each.event_id, None) for each in events[: cancelled.sent]}
    assert cancelled.sent == (0 if calls < CALLS_BEFORE_THE_COMMIT else 5)


def test_filters_choose_among_what_is_left() -> None:
    world = World()
    events = world.index_events(*minutes(5))
    job = world.request(BY_TYPE)
    world.work_off()
    process(world, job, [(events[0].event_id, None)])

    repeated = world.request(unprocessed(job, exclude={"event_ids": [events[1].event_id]}, max_messages=2))
    world.work_off()

    assert {message.event_id for message in messages_of(world, repeated)} == ids(events[2:4])


def test_a_replay_has_the_selection_and_the_destination_of_the_one_that_it_is_of() -> None:
    world = World()
    job = world.request(BY_TYPE, BILLING, max_messages=7, rate=50.0, reason="first")
    world.work_off()

    repeated = world.request(unprocessed(job, rate=2.0), IN_DAYS)

    assert repeated.request.as_asked() == {
        **BY_TYPE,
        **BILLING,
        "only": "unprocessed",
        "of": job.replay_id,
        "rate": 2.0,
    }


def test_it_waits_for_no_index_and_says_of_none_how_far_it_was_read() -> None:
    world = World(index_lag_s=30)
    job = world.request(BY_TYPE, BILLING)
    world.work_off()

    repeated = world.request(unprocessed(job))
    world.plan(repeated.replay_id)

    assert world.job(job).index_read_to == INGESTED
    assert (world.job(repeated).state, world.job(repeated).index_read_to) == (JobState.SENT, None)


SENT = {"state": JobState.SENT, "takes_reports": True}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            SENT | {"state": JobState.SENDING, "sent": 12},
            "is still sending: 12 messages so far. GET /replay/replay-1",
        ),
        (SENT | {"state": JobState.PLANNING}, "is still sending"),
        (SENT | {"outbox": "commit-3"}, "is still sending"),
        (SENT | {"state": JobState.FAILED}, "POST /replay/replay-1/redrive"),
        (SENT | {"takes_reports": False}, "was sent to billing, which takes no reports"),
        (
            SENT | {"created_at": shifted(INGESTED, -OUTBOXES_KEPT_DAYS * 86_400 * 1_000_000_000)},
            "What a replay sent is known for 30 days",
        ),
    ],
)
def test_what_cannot_be_known_is_refused_with_the_reason(members: dict[str, Any], told: str) -> None:
    world = World()
    job = world.request(BY_TYPE, BILLING)
    world.jobs.by_id[job.replay_id] = replace(job, **members)

    with pytest.raises(Conflict) as refused:
        world.request(unprocessed(job))

    assert told in str(refused.value)


@pytest.mark.parametrize(
    "members",
    [
        SENT,
        SENT | {"state": JobState.CANCELLED},
        SENT | {"created_at": shifted(INGESTED, 1 - OUTBOXES_KEPT_DAYS * 86_400 * 1_000_000_000)},
    ],
)
def test_what_can_be_known_is_taken(members: dict[str, Any]) -> None:
    world = World()
    job = world.request(BY_TYPE, BILLING)
    world.jobs.by_id[job.replay_id] = replace(job, **members)

    assert world.request(unprocessed(job)).request.of == job.replay_id


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"of": "replay-9"}, "of"),
        ({"of": None}, "of"),
        ({"only": None}, "of"),
        ({"only": "not_sent_to"}, "of"),
        (BY_TYPE | {"start_day": "2026-11-20"}, "of"),
        (BY_TYPE | {"event_type": "order.sent"}, "of"),
        (BY_ENTITY, "of"),
        ({"destination": "aggregates"}, "destination"),
        ({"include_duplicates": True}, "include_duplicates"),
        (BY_TYPE | {"only": "not_sent_to", "of": None}, "destination"),
        (BY_TYPE | BILLING | {"only": "not_sent_to", "of": None, "whole_days": True}, "whole_days"),
        (BY_TYPE | BILLING | {"only": "not_sent_to", "of": None, "include_duplicates": True}, "include_duplicates"),
    ],
)
def test_a_request_that_contradicts_itself_or_the_other_replay_is_refused(members: dict[str, Any], field: str) -> None:
    world = World()
    job = world.request(BY_TYPE, BILLING)
    world.work_off()
    asked = {name: value for name, value in (unprocessed(job) | members).items() if value is not None}

    with pytest.raises(InvalidRequest) as refused:
        world.request(asked)

    assert [fault.field for fault in refused.value.faults] == [field]


def test_what_is_left_of_a_file_is_not_asked_for_with_another_file() -> None:
    world = World()
    job = world.request(BY_TYPE, BILLING)
    of_file = ReplayRequest(events_file="a" * 64, destination="billing")
    world.jobs.by_id[job.replay_id] = replace(job, state=JobState.SENT, takes_reports=True, request=of_file)

    with pytest.raises(InvalidRequest) as refused:
        world.request(unprocessed(job, events_file="b" * 64))

    assert [fault.field for fault in refused.value.faults] == ["of"]
    assert world.request(unprocessed(job, events_file="a" * 64)).request.events_file == "a" * 64


def test_what_is_left_of_a_file_is_in_the_order_in_which_it_was_sent() -> None:
    world = World()
    job = world.request(BY_TYPE, BILLING)
    whole = ReplayRequest(events_file="a" * 64, destination="ordered", whole_days=True)
    world.jobs.by_id[job.replay_id] = replace(job, state=JobState.SENT, takes_reports=True, request=whole)

    assert world.request(unprocessed(job)).request.in_time_order


@pytest.mark.parametrize("gone", ["outboxes", "listed", "all listed"])
def test_a_replay_fails_and_says_why_if_what_was_sent_has_expired_meanwhile(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_batch, "ROWS_A_BATCH", 2)
    world = World()
    world.index_events(*minutes(6))
    job = world.request(BY_TYPE, BILLING)
    world.work_off()
    repeated = world.request(unprocessed(job))
    places = sorted(world.jobs.listed)
    for place in places if gone == "all listed" else places[1:2]:
        commit = world.jobs.listed[place] if gone == "outboxes" else world.jobs.listed.pop(place)
        world.jobs.outboxes.pop(commit, None) if gone == "outboxes" else None

    with pytest.raises(NotFound):
        world.plan(repeated.replay_id, last_chance=True)

    failed = world.job(repeated)
    assert (failed.state, failed.failure) == (JobState.FAILED, f"The outbox of replay {job.replay_id} expired.")
