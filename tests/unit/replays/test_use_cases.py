"""Asking for replays, and controlling them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, TryAgain, WriteConflict
from chalicelib.core.timestamps import nanoseconds
from chalicelib.replays.destinations import destinations_in
from chalicelib.replays.job import FailureReason, JobState, Outbox, ReplayJob, Requester
from chalicelib.replays.pinning import PinMetrics
from chalicelib.replays.preview import PreviewReplay
from chalicelib.replays.preview_report import ConfirmationNeeded
from chalicelib.replays.request import ReplaysQuery
from chalicelib.replays.request_body import parse_with_drafts
from chalicelib.replays.use_cases import ControlReplay, FindReplays, RequestReplay
from tests.unit.definitions_in_memory import DefinitionsInMemory
from tests.unit.examples import INGESTED
from tests.unit.in_memory import at, no_pause, one_by_one, origins_of
from tests.unit.replays.test_planner import BY_ENTITY, BY_TYPE, World, minutes

SOMEBODY = Requester("somebody")
STAGE = destinations_in('{"aggregates": {"arn": "arn:of-aggregates"}, "billing": {"arn": "arn:aws:sqs:of:billing"}}')
KEYED = Requester("somebody", "a-key")


@dataclass
class Desk:
    """Where replays are asked for and controlled."""

    world: World = field(default_factory=World)
    numbers: Any = field(default_factory=count)
    confirm_above: int = 5
    definitions: DefinitionsInMemory = field(default_factory=DefinitionsInMemory)

    def id_at(self, millisecond: int) -> str:
        return f"id-{millisecond - nanoseconds(INGESTED) // 1_000_000:03d}"

    def new_id(self) -> str:
        return f"id-{next(self.numbers):03d}"

    def ask(self, members: dict[str, Any], requester: Requester = SOMEBODY, **more: Any) -> ReplayJob:
        jobs, queues = self.world.troubles.beset(self.world.jobs), self.world.troubles.beset(self.world.queues)
        preview = PreviewReplay(origins_of(self.world.index), 2, 10, self.world.index_lag_s, at(), one_by_one, STAGE)
        lag_s, pin = self.world.index_lag_s, PinMetrics(self.definitions)
        ask = RequestReplay(jobs, queues, preview, self.confirm_above, 2, lag_s, at(), self.id_at, pin, STAGE)
        parsed = parse_with_drafts(json.dumps(members | more).encode())
        return ask.request(parsed.request, requester, parsed.drafts)

    @property
    def control(self) -> ControlReplay:
        return ControlReplay(self.world.jobs, self.world.queues, STAGE, at(), self.new_id, no_pause)

    @property
    def find(self) -> FindReplays:
        return FindReplays(self.world.jobs, one_by_one)

    def put(self, job: ReplayJob, **members: Any) -> ReplayJob:
        """The job, elsewhere on its way."""
        self.world.jobs.by_id[job.replay_id] = replace(job, **members)
        return self.world.jobs.by_id[job.replay_id]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_job_is_kept_before_it_is_queued_and_shown_as_it_was_asked_for(desk: Desk) -> None:
    job = desk.ask(BY_ENTITY)

    assert desk.find.one(job.replay_id) == job
    assert (job.requested_by, job.created_at, job.state) == ("somebody", INGESTED, JobState.PLANNING)
    assert desk.world.queues.to_plan == [job.replay_id]


@pytest.mark.parametrize("call", [0, 1])
def test_a_job_is_kept_only_if_it_will_be_planned_whatever_becomes_of_its_function(desk: Desk, call: int) -> None:
    desk.world.troubles.ahead = iter([*["none"] * call, "refused"])

    with pytest.raises(TryAgain):
        desk.ask(BY_ENTITY)

    assert desk.world.jobs.by_id == {}


def test_a_job_that_is_kept_and_cannot_be_queued_is_planned_a_minute_later(desk: Desk) -> None:
    desk.world.troubles.ahead = iter(["none", "none", "none", "refused"])

    job = desk.ask(BY_ENTITY)

    assert desk.find.one(job.replay_id).state is JobState.PLANNING
    assert desk.world.queues.to_plan == []
    assert desk.world.queues.to_plan_unless_planned == [job.replay_id]


@pytest.mark.parametrize("replay_id", ["replay-9", "x" * 3_000])
def test_a_job_that_is_not_there_is_not_found(desk: Desk, replay_id: str) -> None:
    for ask in (desk.find.one, desk.control.redrive, lambda name: desk.control.cancel(name, "somebody")):
        with pytest.raises(NotFound):
            ask(replay_id)


class TestIdempotencyKey:
    def test_a_repeated_request_is_the_same_job(self, desk: Desk) -> None:
        first = desk.ask(BY_ENTITY, KEYED)

        assert desk.ask(BY_ENTITY, KEYED) == first
        assert list(desk.world.jobs.by_id) == [first.replay_id]

    def test_a_repeated_request_queues_a_job_that_no_planner_has_had(self, desk: Desk) -> None:
        desk.world.troubles.ahead = iter(["none", "none", "none", "refused"])
        with pytest.raises(TryAgain):
            desk.ask(BY_ENTITY, KEYED)

        again = desk.ask(BY_ENTITY, KEYED)

        assert again.state is JobState.PLANNING
        assert desk.world.queues.to_plan == [again.replay_id]

    def test_a_repeated_request_leaves_a_job_alone_that_is_on_its_way(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_ENTITY, KEYED), revision=3, sent=7)
        desk.world.queues.to_plan.clear()

        assert desk.ask(BY_ENTITY, KEYED) == job
        assert desk.world.queues.to_plan == []

    def test_another_request_is_refused(self, desk: Desk) -> None:
        desk.ask(BY_ENTITY, KEYED)

        with pytest.raises(Conflict) as caught:
            desk.ask(BY_ENTITY, KEYED, max_messages=1)

        assert [fault.field for fault in caught.value.faults] == ["Idempotency-Key"]
        assert len(desk.world.jobs.by_id) == 1

    def test_the_key_of_one_is_no_key_of_another_request(self, desk: Desk) -> None:
        first, second = desk.ask(BY_ENTITY, KEYED), desk.ask(BY_ENTITY, Requester("somebody", "another-key"))
        third, fourth = desk.ask(BY_ENTITY), desk.ask(BY_ENTITY)

        assert len({job.replay_id for job in (first, second, third, fourth)}) == 4

    def test_two_at_once_make_one_job(self, desk: Desk) -> None:
        keyed = desk.world.jobs.keyed
        desk.world.jobs.keyed = lambda idempotency_key: None  # type: ignore[method-assign]
        first = desk.ask(BY_ENTITY, KEYED)

        assert desk.ask(BY_ENTITY, KEYED).replay_id == first.replay_id
        assert keyed("a-key") is not None

    def test_the_same_request_needs_no_second_confirmation(self, desk: Desk) -> None:
        """Meanwhile there may be more events; the job that was asked for is there all the same."""
        job = desk.ask(BY_ENTITY, KEYED)
        desk.world.index_events(*minutes(9))

        assert desk.ask(BY_ENTITY, KEYED).replay_id == job.replay_id


class TestConfirmation:
    def test_is_not_needed_up_to_the_limit(self, desk: Desk) -> None:
        desk.world.index_events(*minutes(5))

        assert desk.ask(BY_ENTITY).state is JobState.PLANNING

    @pytest.mark.parametrize("given", [None, 0, 5, 7])
    def test_is_needed_above_it_and_tells_what_would_be_sent(self, desk: Desk, given: int | None) -> None:
        desk.world.index_events(*minutes(6))

        with pytest.raises(ConfirmationNeeded) as caught:
            desk.ask(BY_ENTITY, confirm=given)

        assert caught.value.preview.messages == 6
        assert '"confirm": 6' in caught.value.faults[0].message
        assert desk.world.jobs.by_id == {}

    def test_is_the_counted_number(self, desk: Desk) -> None:
        desk.world.index_events(*minutes(6))

        assert desk.ask(BY_ENTITY, confirm=6).state is JobState.PLANNING

    def test_is_not_needed_for_a_replay_that_is_limited_itself(self, desk: Desk) -> None:
        desk.world.index_events(*minutes(6))

        assert desk.ask(BY_ENTITY, max_messages=5).state is JobState.PLANNING
        with pytest.raises(ConfirmationNeeded):
            desk.ask(BY_ENTITY, max_messages=6)

    def test_is_needed_where_counting_did_not_come_to_an_end(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chalicelib.replays.preview.REQUEST_US", 1)
        desk.world.index.page_size = lambda: 3
        desk.world.index_events(*minutes(4))
        paid = BY_ENTITY | {"include": {"event_types": ["order.paid"]}}

        # What was found so far says little of how many there are.
        for confirm in (None, 3):
            with pytest.raises(ConfirmationNeeded, match="Counting ran out of reads, with 3 messages found") as caught:
                desk.ask(paid, confirm=confirm)
            assert 'give "max_messages" of at most 5' in caught.value.faults[0].message
            assert "Above" not in str(caught.value)
        assert desk.ask(paid, max_messages=5).state is JobState.PLANNING
        assert desk.ask(paid, max_messages=100, confirm=100).state is JobState.PLANNING

    def test_is_what_was_counted_where_that_alone_is_large(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chalicelib.replays.preview.REQUEST_US", 1)
        desk.world.index.page_size = lambda: 6
        desk.world.index_events(*minutes(9))
        paid = BY_ENTITY | {"include": {"event_types": ["order.paid"]}}

        with pytest.raises(ConfirmationNeeded, match="at least 6"):
            desk.ask(paid)

        assert desk.ask(paid, confirm=6).state is JobState.PLANNING


class TestCancel:
    @pytest.mark.parametrize("state", [JobState.PLANNING, JobState.SENDING, JobState.FAILED])
    def test_ends_a_job(self, desk: Desk, state: JobState) -> None:
        job = desk.put(desk.ask(BY_ENTITY), state=state)

        cancelled = desk.control.cancel(job.replay_id, "another")

        assert desk.find.one(job.replay_id) == cancelled
        assert (cancelled.state, cancelled.cancelled_by) == (JobState.CANCELLED, "another")

    def test_ends_a_job_whose_messages_are_in_flight(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_ENTITY), state=JobState.SENT, sent=5, processed=4)

        assert desk.control.cancel(job.replay_id, "another").state is JobState.CANCELLED

    def test_of_a_complete_job_is_refused(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_ENTITY), state=JobState.SENT, sent=5, processed=5)

        with pytest.raises(Conflict, match="complete"):
            desk.control.cancel(job.replay_id, "another")

    def test_again_changes_nothing(self, desk: Desk) -> None:
        job = desk.ask(BY_ENTITY)
        first = desk.control.cancel(job.replay_id, "one")

        assert desk.control.cancel(job.replay_id, "another") == first

    def test_holds_although_planners_are_faster(self, desk: Desk) -> None:
        job = desk.ask(BY_ENTITY)
        commit = desk.world.jobs.commit

        def commit_after_another(planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
            current = desk.world.jobs.by_id[job.replay_id]
            if current.revision < 3:
                desk.put(current, revision=current.revision + 1, sent=current.sent + 1)
            commit(planned_from, reached, outbox)

        desk.world.jobs.commit = commit_after_another  # type: ignore[method-assign]

        cancelled = desk.control.cancel(job.replay_id, "another")

        assert (cancelled.state, cancelled.sent) == (JobState.CANCELLED, 3)

    def test_gives_up_where_it_is_never_fast_enough(self, desk: Desk) -> None:
        job = desk.ask(BY_ENTITY)

        def never(planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
            raise WriteConflict("moved on")

        desk.world.jobs.commit = never  # type: ignore[method-assign]

        with pytest.raises(WriteConflict):
            desk.control.cancel(job.replay_id, "another")


class TestRedrive:
    def test_sends_dead_letters_back(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_ENTITY), state=JobState.SENT, sent=5, processed=4, failed=1)
        desk.world.queues.to_plan.clear()

        assert desk.control.redrive(job.replay_id) == job
        assert (desk.world.queues.to_redrive, desk.world.queues.to_plan) == ([job.replay_id], [])

    def test_plans_on_a_job_that_failed(self, desk: Desk) -> None:
        refused = FailureReason.DESTINATION_REFUSED
        failed = {"state": JobState.FAILED, "failure": "no reason", "failed_because": refused}
        job = desk.put(desk.ask(BY_ENTITY), **failed, sent=3)
        desk.world.queues.to_plan.clear()

        resumed = desk.control.redrive(job.replay_id)

        assert (resumed.state, resumed.failure, resumed.failed_because) == (JobState.SENDING, None, None)
        assert desk.world.queues.to_plan == [job.replay_id]

    def test_goes_on_finding_days_where_that_is_where_it_failed(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_TYPE, whole_days=True), state=JobState.FAILED, failure="no reason")

        assert desk.control.redrive(job.replay_id).state is JobState.PLANNING

    def test_continues_a_job_that_no_planner_has(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_ENTITY), state=JobState.SENDING)
        desk.world.queues.to_plan.clear()

        assert desk.control.redrive(job.replay_id) == job
        assert desk.world.queues.to_plan == [job.replay_id]

    def test_of_a_complete_job_without_dead_letters_does_nothing(self, desk: Desk) -> None:
        job = desk.put(desk.ask(BY_ENTITY), state=JobState.SENT, sent=5, processed=5)
        desk.world.queues.to_plan.clear()

        assert desk.control.redrive(job.replay_id) == job
        assert (desk.world.queues.to_redrive, desk.world.queues.to_plan) == ([], [])

    def test_of_a_cancelled_job_is_refused(self, desk: Desk) -> None:
        job = desk.ask(BY_ENTITY)
        desk.control.cancel(job.replay_id, "somebody")

        with pytest.raises(Conflict, match="cancelled"):
            desk.control.redrive(job.replay_id)


class TestListing:
    def test_is_newest_first_page_by_page(self, desk: Desk) -> None:
        jobs = [desk.ask(BY_TYPE) for _ in range(5)]

        first = desk.find.newest(ReplaysQuery(limit=2))
        second = desk.find.newest(ReplaysQuery(limit=2, cursor=first.cursor))
        third = desk.find.newest(ReplaysQuery(limit=2, cursor=second.cursor))

        assert [*first.jobs, *second.jobs, *third.jobs] == list(reversed(jobs))
        assert third.cursor is None

    def test_of_none_is_empty(self, desk: Desk) -> None:
        assert (desk.find.newest(ReplaysQuery()).jobs, desk.find.newest(ReplaysQuery()).cursor) == ((), None)

    def test_refuses_a_cursor_that_was_changed(self, desk: Desk) -> None:
        with pytest.raises(InvalidRequest):
            desk.find.newest(ReplaysQuery(cursor="abc"))
