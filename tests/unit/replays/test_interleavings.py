"""Every interleaving of what works on a replay: no version changes that was called complete, and each replay can end.

`make soak` explores larger ones. With SOAK=ci, the six largest have two events in a commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from chalicelib.replays import commit_batch, planner
from chalicelib.replays.job import Outbox, ReplayJob
from chalicelib.replays.planner import PlanReplay
from chalicelib.replays.tasks import RECEIVES
from tests.sizes import is_full
from tests.unit.exploration import Explored, explored
from tests.unit.in_memory import Jobs
from tests.unit.replay_calls import BY_ENTITY, BY_TYPE, WHOLE_DAYS, Code
from tests.unit.replay_model import Budget, Model, State
from tests.unit.replay_traces import told


@pytest.fixture(autouse=True)
def one_event_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three events are as many commits, and two slices."""
    monkeypatch.setattr(commit_batch, "ROWS_A_BATCH", 1)
    monkeypatch.setattr(planner, "BATCHES_A_SLICE", 2)


def every_state(model: Model) -> Explored[State]:
    return explored(model.begin, model.steps, model.wrong, model.ended)


SMALL: dict[str, Callable[[], Model]] = {
    "by entity: a second planner, an event that arrives": partial(Model, BY_ENTITY, Budget(planners=1, arrivals=1)),
    "by entity: a second planner, a death": partial(Model, BY_ENTITY, Budget(planners=1, deaths=1)),
    "by entity: a dead letter, a redrive": partial(Model, BY_ENTITY, Budget(given_up=1, redrives=1)),
    "by entity: a cancel, a death": partial(Model, BY_ENTITY, Budget(cancels=1, deaths=1)),
    "by entity: an error is the last": partial(Model, BY_ENTITY, Budget(errors=1, redrives=1), receives=RECEIVES),
    "by type: a second planner, an index that lags": partial(Model, BY_TYPE, Budget(planners=1, hidden=1)),
    "by type: a death, an error": partial(Model, BY_TYPE, Budget(deaths=1, errors=1)),
    "by type: a message that comes again, an error": partial(Model, BY_TYPE, Budget(deliveries=1, errors=1)),
    "whole days: an index that lags": partial(Model, WHOLE_DAYS, Budget(hidden=2, arrivals=1)),
}
LARGE: dict[str, Callable[[], Model]] = {
    "by entity: a second planner, a death, an error": partial(Model, BY_ENTITY, Budget(planners=1, deaths=1, errors=1)),
    "by type: a second planner, a death": partial(Model, BY_TYPE, Budget(planners=1, deaths=1)),
    "by type: a second planner, an error": partial(Model, BY_TYPE, Budget(planners=1, errors=1)),
    "whole days: a second planner, an index that lags": partial(Model, WHOLE_DAYS, Budget(planners=1, hidden=1)),
    "whole days: a death, an index that lags, another day": partial(
        Model, WHOLE_DAYS, Budget(deaths=1, hidden=1, arrivals=1), at_first=1
    ),
    "whole days: a second planner, another day": partial(Model, WHOLE_DAYS, Budget(planners=1, arrivals=1), at_first=1),
}
LARGEST: dict[str, Callable[[], Model]] = {
    "by entity: a second planner, an event that arrives, two deaths": partial(
        Model, BY_ENTITY, Budget(planners=1, arrivals=1, deaths=2)
    ),
    "by entity: a dead letter, a redrive, a cancel": partial(
        Model, BY_ENTITY, Budget(given_up=1, redrives=1, cancels=1)
    ),
    "by type: a second planner, an index that lags, an event that arrives": partial(
        Model, BY_TYPE, Budget(planners=1, hidden=1, arrivals=1)
    ),
    "by type: a dead letter, a redrive": partial(Model, BY_TYPE, Budget(given_up=1, redrives=1)),
    "by type: a cancel, a death": partial(Model, BY_TYPE, Budget(cancels=1, deaths=1)),
    "whole days: a second planner, another day, a death": partial(
        Model, WHOLE_DAYS, Budget(planners=1, arrivals=1, deaths=1), at_first=1
    ),
}
"""Of 200,000 to 900,000 states each where every event is a commit."""


def assert_sound(model: Model) -> None:
    found = every_state(model)
    print(f"{found.states:,} states, {found.steps:,} steps")  # noqa: T201  # pytest shows it where it matters
    assert found.wrong == "", told(model, found)


@pytest.mark.parametrize("steps", [1, 9], ids=["step by step", "at once"])
@pytest.mark.parametrize("model", SMALL.values(), ids=SMALL)
def test_no_version_changes_that_was_called_complete_and_each_replay_can_end(
    model: Callable[[], Model], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_batch, "ROWS_A_BATCH", steps)

    assert_sound(model())


@pytest.mark.soak
@pytest.mark.parametrize(
    ("model", "events_a_commit"),
    [*((model, 1) for model in LARGE.values()), *((model, 1 if is_full() else 2) for model in LARGEST.values())],
    ids=[*LARGE, *LARGEST],
)
def test_with_several_faults_at_once_no_complete_version_changes_and_each_replay_can_end(
    model: Callable[[], Model], events_a_commit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_batch, "ROWS_A_BATCH", events_a_commit)

    assert_sound(model())


class SendsBeforeItCommits(PlanReplay):
    """A planner as it must not be."""

    def _committed(self, job: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> ReplayJob:
        if outbox:
            self._carry_out(job, outbox)
        return super()._committed(job, reached, outbox)


class KeepsDaysBeforeItCommits(PlanReplay):
    """Likewise: another planner may be reading the days."""

    def _committed(self, job: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> ReplayJob:
        if outbox is not None and outbox.days:
            self.replays.touched_days(job.replay_id).add(outbox.days)
        return super()._committed(job, reached, outbox)


class AcknowledgesBeforeItSends(PlanReplay):
    """Likewise: nobody sends what a planner that dies has not sent."""

    def _committed(self, job: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> ReplayJob:
        return super()._committed(job, reached, None)


class CountsWhatItHasSent(PlanReplay):
    """Likewise: a replay is COMPLETE although its outbox is not empty."""

    def _committed(self, job: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> ReplayJob:
        sent = job.sent if outbox else reached.sent
        return super()._committed(job, replace(reached, sent=sent), outbox)


class WithoutCondition(Jobs):
    """Storage that takes every commit, whatever it was planned from."""

    def commit(self, planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None) -> None:
        super().commit(self.by_id[reached.replay_id], reached, outbox)


DAYS = partial(Model, WHOLE_DAYS, Budget(planners=1, arrivals=1), Code(plan=KeepsDaysBeforeItCommits), at_first=1)
BROKEN: dict[str, Callable[[], Model]] = {
    "messages are sent before they are committed": partial(
        Model, BY_ENTITY, Budget(planners=1), Code(plan=SendsBeforeItCommits)
    ),
    "commits have no condition": partial(Model, BY_ENTITY, Budget(planners=1), Code(jobs=WithoutCondition)),
    "an outbox is acknowledged before it is sent": partial(
        Model, BY_ENTITY, Budget(deaths=1), Code(plan=AcknowledgesBeforeItSends)
    ),
    "a replay is COMPLETE while it has an outbox": partial(Model, BY_ENTITY, Budget(), Code(plan=CountsWhatItHasSent)),
    "an index is read without its lag": partial(Model, BY_TYPE, Budget(hidden=1), Code(index_lag_s=0)),
    "days are found in an index without its lag": partial(Model, WHOLE_DAYS, Budget(hidden=1), Code(index_lag_s=0)),
}


@pytest.mark.parametrize(
    "model",
    [*BROKEN.values(), pytest.param(DAYS, marks=pytest.mark.long)],
    ids=[*BROKEN, "days are kept before they are committed"],
)
def test_an_interleaving_that_breaks_the_promise_is_found_if(model: Callable[[], Model]) -> None:
    broken = model()
    found = every_state(broken)
    print(told(broken, found))  # noqa: T201  # pytest shows it where it matters
    assert found.wrong
