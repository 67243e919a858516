"""A replay of three events of two entities in every interleaving of what works on it, with faults among them.

A state is what is stored, what is on the queues, and who is at work; a step is one call of a port by a use case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chalicelib.aggregates.ledger import Changes, Outcome, OutcomeRecord
from chalicelib.core.errors import TryAgain, WriteConflict
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import Day
from chalicelib.events.index_pages import Partition, TypeDayPartition
from chalicelib.processing.dead_letters import DeadLetter
from chalicelib.replays.job import JobState, Outbox, ReplayJob
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.ports import ReplayStatus
from chalicelib.replays.tasks import ReplayTask
from tests.unit import replay_calls as calls
from tests.unit.exploration import Step
from tests.unit.ledger_in_memory import Aggregates
from tests.unit.replay_calls import EVENTS, REPLAY, Code, Numbered, Numbers, Stored
from tests.unit.stepped import Call, Ended, Processes, Raised

PLANS = 2
"""At most this many messages of a kind ask for a slice: one more would lead nowhere else."""

NONE: Numbers = frozenset()
Names = tuple[tuple[str, str], ...]
"""What a process calls its own commits, and what everybody else does."""


class Budget(NamedTuple):
    """How often things may go wrong, and be asked for."""

    arrivals: int = 0
    deaths: int = 0
    errors: int = 0
    hidden: int = 0
    planners: int = 0
    deliveries: int = 0
    given_up: int = 0
    cancels: int = 0
    redrives: int = 0


class State(NamedTuple):
    """All that is stored, what is on the queues, and who is at work.

    `settled` says whether the index has come to show every event that was there when the job was made. `plans` counts
    messages for planners: those that come at once, and those that the queue keeps back until then. `ever` are the
    messages of events that were ever sent.
    """

    stored: int
    ledger: int
    indexed: int
    settled: bool = False
    plans: tuple[int, int] = (0, 0)
    moves: bool = False
    messages: Numbers = NONE
    ever: Numbers = NONE
    failures: Numbers = NONE
    letters: Numbers = NONE
    at_work: tuple[tuple[int, Names], ...] = ()
    budget: Budget = Budget()

    def spending(self, what: str) -> State:
        """With less left of something."""
        return self._replace(budget=self.budget._replace(**{what: getattr(self.budget, what) - 1}))

    def joined_by(self, number: int, names: Names = ()) -> State:
        """With one more at work; it does not matter who came first."""
        return self._replace(at_work=tuple(sorted((*self.at_work, (number, names)))))

    def left_by(self, worker: tuple[int, Names]) -> State:
        """With one less."""
        others = list(self.at_work)
        others.remove(worker)
        return self._replace(at_work=tuple(others))

    def asking(self, delay_s: int = 0) -> State:
        """With one more message for a planner."""
        at_once, kept_back = self.plans
        if delay_s >= calls.INDEX_LAG_S:
            return self._replace(plans=(at_once, min(PLANS, kept_back + 1)))
        return self._replace(plans=(min(PLANS, at_once + 1), kept_back))

    def asked(self, waited_s: int) -> State:
        """With one less; one that was kept back comes when the index shows what it has to."""
        at_once, kept_back = self.plans
        if waited_s:
            return self._replace(plans=(at_once, kept_back - 1), settled=True)
        return self._replace(plans=(at_once - 1, kept_back))


class Caller(NamedTuple):
    """Who makes a call."""

    role: str
    names: Names


class Effect(NamedTuple):
    """What a call may do: its answer, the state after it, the caller's name for a new commit, and what is odd."""

    answer: Any
    state: State
    named: Names = ()
    odd: str = ""


Effects = Iterator[Effect]


@dataclass
class Model:
    """The states of one replay and what leads from one to the next."""

    request: Mapping[str, object]
    budget: Budget
    code: Code = field(default_factory=Code)
    at_first: int = 2
    receives: int = 1
    consumers: int = 1
    stored: Numbered[Stored] = field(default_factory=Numbered)
    ledgers: Numbered[Aggregates] = field(default_factory=Numbered)
    _facts: dict[tuple[int, int], tuple[ReplayJob, tuple[Outcome | None, ...], Numbers]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processes = Processes(self.code.use_cases)

    @property
    def begin(self) -> State:
        """A job that was asked for, and the events that were there before."""
        stored = self._storing(Stored(calls.new_job(self.request)))
        ledger = self.ledgers.number(calls.content_of(Aggregates()), Aggregates())
        waits_s = self.stored.things[stored].job.request.settles_in(self.code.index_lag_s)
        return State(stored, ledger, self.at_first, budget=self.budget).asking(waits_s)

    def _storing(self, stored: Stored) -> int:
        return self.stored.number(stored, stored)

    # What is shown, and what of it is wrong

    def facts(self, state: State) -> tuple[ReplayJob, tuple[Outcome | None, ...], Numbers]:
        """The job as callers see it, what became of messages, and those in the outbox."""
        key = state.stored, state.ledger
        if key not in self._facts:
            stored, ledger = self.stored.things[state.stored], self.ledgers.things[state.ledger]
            job, outbox = calls.with_counts(stored.job, ledger), NONE
            if job.outbox is not None:
                outbox = calls.numbers_of(stored.jobs().outbox(REPLAY, job.outbox).messages)
            self._facts[key] = job, calls.outcomes_in(ledger), outbox
        return self._facts[key]

    def wrong(self, before: State, after: State) -> str:
        """What is wrong with a step; nothing, as a rule."""
        job, outcomes, outbox = self.facts(after)
        if job.in_flight < 0:
            return f"More is processed, failed or dropped than the {job.sent} messages sent."
        if job.public_state is JobState.COMPLETE:
            for number in after.ever | outbox:
                if outcomes[number] in {None, Outcome.REDRIVEN}:
                    return f"The replay is COMPLETE, and the message of event {number} can still count."
            for number in self._acknowledged_before(job):
                if outcomes[number] is None:
                    return f"The replay is COMPLETE, and event {number}, which was there before it, was left out."
        earlier, inputs_before, _ = self.facts(before)
        if earlier.settled and outcomes != inputs_before:
            return "A version was called complete, and has changed."
        if earlier.settled and not job.settled and job.public_state is not JobState.CANCELLED:
            return "A replay was COMPLETE, and is so no longer."
        return ""

    def _acknowledged_before(self, job: ReplayJob) -> list[int]:
        """The events that the replay must send."""
        return [n for n in range(self.at_first) if job.request.entity_id in {None, EVENTS[n].entity_id}]

    def ended(self, state: State) -> bool:
        """Whether the job says that it is over, and why if it failed."""
        job, _, _ = self.facts(state)
        if job.public_state is JobState.FAILED:
            return bool(job.failure)
        return job.public_state in {JobState.COMPLETE, JobState.CANCELLED}

    # What may happen

    def steps(self, state: State) -> Iterator[Step[State]]:
        """All of it; but only one call where it matters to nobody when it is made."""
        for worker in state.at_work:
            if self._alone(state, worker[0]):
                yield from self._steps_of(state, worker)
                return
        for worker in dict.fromkeys(state.at_work):
            yield from self._steps_of(state, worker)
        yield from self._by_functions(state)
        yield from self._by_others(state)

    def _alone(self, state: State, number: int) -> bool:
        """Whether the next call of a process goes with all that others can do, in any order."""
        process = self.processes.known[number]
        if not process.answers or isinstance(process.next, Ended):
            return True
        match process.next.port, process.next.method:
            case "jobs", "outbox":
                return True
            case "queues", "plan" | "redrive" | "lay_aside":
                return True
            case "states" | "ledger", _:
                return self.consumers == 1 and not state.budget.cancels and "cancel" not in self._roles(state)
            case "index", "page":
                return state.budget.arrivals == 0 or state.indexed == len(EVENTS)
        return False

    def _steps_of(self, state: State, worker: tuple[int, Names]) -> Iterator[Step[State]]:
        number, names = worker
        process = self.processes.known[number]
        without = state.left_by(worker)
        if state.budget.deaths:
            yield Step((number, "dies"), self._left_behind(without, number).spending("deaths"), fault=True)
        if isinstance(process.next, Ended):
            yield Step((number, "ends"), self._settled(without, number))
            return
        for effect in self._effects(process.next)(without, Caller(process.role, names), *process.next.args):
            after, known = effect.state, (*names, *effect.named)
            answered = after.joined_by(self.processes.answered(number, effect.answer), known)
            yield Step((number, process.next, effect.answer, effect.odd), answered, fault=bool(effect.odd))
            if state.budget.errors and effect.named:
                # The client sends the commit again, and that call meets what the first has written.
                met = Raised(WriteConflict("moved on by another"))
                lost = after.joined_by(self.processes.answered(number, met), known).spending("errors")
                yield Step((number, process.next, met, "and the answer to the first attempt is lost"), lost, fault=True)
        if state.budget.errors:
            refused = Raised(TryAgain("not taken"))
            failing = without.joined_by(self.processes.answered(number, refused), names).spending("errors")
            yield Step((number, process.next, refused, "is refused"), failing, fault=True)

    def _effects(self, call: Call) -> Callable[..., Effects]:
        effects: Callable[..., Effects] = getattr(self, f"_{call.port}_{call.method}")
        return effects

    def _left_behind(self, state: State, number: int) -> State:
        """The message of a process that did not get to its end comes again."""
        process = self.processes.known[number]
        match process.role:
            case "planner" if process.task[2]:
                return state.asking(process.task[0].waited_s)
            case "mover":
                return state._replace(moves=True)
            case "processor":
                return state._replace(messages=state.messages | {process.task})
            case "recorder":
                return state._replace(failures=state.failures | {process.task})
        return state

    def _settled(self, state: State, number: int) -> State:
        process = self.processes.known[number]
        assert isinstance(process.next, Ended)
        return state if process.next.error is None else self._left_behind(state, number)

    def _by_functions(self, state: State) -> Iterator[Step[State]]:
        """Functions that are called with what is on the queues."""
        roles = self._roles(state)
        if roles.count("planner") < 2:
            for waited_s, waiting in zip((0, calls.INDEX_LAG_S), state.plans, strict=True):
                if waiting:
                    planning = ReplayTask(REPLAY, waited_s=waited_s), self.receives, True
                    yield self._beginning(state.asked(waited_s), "planner", planning)
            if state.budget.planners:
                # Of a message that was delivered twice, what one planner takes off the queue the other does not get.
                waited_s = calls.INDEX_LAG_S if state.settled else 0
                again = ReplayTask(REPLAY, waited_s=waited_s), self.receives, False
                yield self._beginning(state.spending("planners"), "planner", again, fault=True)
        if len(roles) - roles.count("planner") - roles.count("cancel") - roles.count("redrive") >= self.consumers:
            return
        for n in state.messages:
            yield self._beginning(state._replace(messages=state.messages - {n}), "processor", n)
        for n in state.failures:
            yield self._beginning(state._replace(failures=state.failures - {n}), "recorder", n)
        if state.moves:
            moving = ReplayTask(REPLAY, redrive=True, looks=0), self.receives, True
            yield self._beginning(state._replace(moves=False), "mover", moving)

    def _by_others(self, state: State) -> Iterator[Step[State]]:
        """What producers and callers do, and the queues by themselves."""
        budget = state.budget
        if budget.arrivals and state.indexed < len(EVENTS):
            arrived = state._replace(indexed=state.indexed + 1)
            yield Step(("event", state.indexed, "arrives"), arrived.spending("arrivals"), fault=True)
        for n in state.ever - state.messages if budget.deliveries else ():
            again = state._replace(messages=state.messages | {n})
            yield Step(("message", n, "comes again"), again.spending("deliveries"), fault=True)
        for n in state.messages if budget.given_up else ():
            failed = state._replace(messages=state.messages - {n}, failures=state.failures | {n})
            yield Step(("message", n, "was received too often"), failed.spending("given_up"), fault=True)
        for what in ("cancel", "redrive"):
            if getattr(budget, f"{what}s"):
                yield self._beginning(state.spending(f"{what}s"), what, None, fault=True)

    def _roles(self, state: State) -> list[str]:
        return [self.processes.known[number].role for number, _ in state.at_work]

    def _beginning(self, state: State, role: str, task: Any, *, fault: bool = False) -> Step[State]:
        number = self.processes.begun(role, task)
        return Step((number, "begins"), state.joined_by(number), fault)

    # What calls do

    def _jobs_get(self, state: State, caller: Caller, _replay_id: str) -> Effects:
        job, _, _ = self.facts(state)
        if caller.role == "planner":
            # It has no bound on what is in flight, and so nothing comes of the counts.
            job = calls.without_counts(job)
        yield Effect(calls.renamed(job, {of_all: own for own, of_all in caller.names}), state)

    def _jobs_outbox(self, state: State, caller: Caller, replay_id: str, commit_id: str) -> Effects:
        name = dict(caller.names).get(commit_id, commit_id)
        yield Effect(self.stored.things[state.stored].jobs().outbox(replay_id, name), state)

    def _jobs_commit(
        self, state: State, caller: Caller, planned_from: ReplayJob, reached: ReplayJob, outbox: Outbox | None = None
    ) -> Effects:
        stored = self.stored.things[state.stored]
        jobs = stored.jobs(self.code.jobs)
        named = ((reached.committed_by, f"commit-{stored.job.revision + 1}"),)
        moved = calls.without_counts(calls.renamed(reached, dict((*caller.names, *named))))
        try:
            jobs.commit(planned_from, moved, outbox)
        except WriteConflict as contended:
            yield Effect(Raised(contended), state)
            return
        read = {moved.outbox, *self._about_to_be_read(state)}
        kept = tuple((name, content) for name, content in sorted(jobs.outboxes.items()) if name in read)
        after = stored._replace(job=jobs.by_id[REPLAY], outboxes=kept)
        yield Effect(None, state._replace(stored=self._storing(after)), named)

    def _about_to_be_read(self, state: State) -> Iterator[str]:
        for number, names in state.at_work:
            call = self.processes.known[number].next
            if isinstance(call, Call) and call.method == "outbox":
                yield dict(names).get(call.args[1], call.args[1])

    def _days_add(self, state: State, _: Caller, days: Sequence[tuple[str, Day]]) -> Effects:
        stored = self.stored.things[state.stored]
        added = stored._replace(days=tuple(sorted({*stored.days, *days})))
        yield Effect(None, state._replace(stored=self._storing(added)))

    def _days_page(self, state: State, _: Caller, after: str | None, limit: int) -> Effects:
        yield Effect(self.stored.things[state.stored].jobs().touched_days(REPLAY).page(after, limit), state)

    def _index_page(self, state: State, _: Caller, partition: Partition, after: str | None, limit: int) -> Effects:
        page = calls.page_of(state.indexed, partition, after, limit)
        yield Effect(page, state)
        if isinstance(partition, TypeDayPartition) and state.budget.hidden:
            for number, some in calls.without_each(page):
                if number >= self.at_first or not state.settled:
                    yield Effect(some, state.spending("hidden"), odd=f"not yet event {number}")

    def _queues_plan(self, state: State, _: Caller, _replay_id: str, delay_s: int = 0) -> Effects:
        yield Effect(None, state.asking(delay_s))

    def _queues_redrive(self, state: State, _: Caller, *_how: object) -> Effects:
        yield Effect(None, state._replace(moves=True))

    def _queues_lay_aside(self, state: State, _: Caller, _task: object) -> Effects:
        yield Effect(None, state)

    def _queues_send(self, state: State, _: Caller, messages: Sequence[ReplayMessage]) -> Effects:
        sent = calls.numbers_of(messages)
        yield Effect(None, state._replace(messages=state.messages | sent, ever=state.ever | sent))

    def _states_states(self, state: State, _: Caller, _replay_ids: object) -> Effects:
        yield Effect({REPLAY: ReplayStatus(self.stored.things[state.stored].job.state)}, state)

    def _ledger_read(self, state: State, _: Caller, records: Sequence[OutcomeRecord]) -> Effects:
        yield Effect(self.ledgers.things[state.ledger].read(records), state)

    def _ledger_write(self, state: State, _: Caller, changes: Changes, _now: object) -> Effects:
        try:
            ledger = calls.written(self.ledgers.things[state.ledger], changes)
        except WriteConflict as overtaken:
            yield Effect(Raised(overtaken), state)
        else:
            yield Effect(None, state._replace(ledger=self.ledgers.number(calls.content_of(ledger), ledger)))

    def _letters_keep(self, state: State, _: Caller, letters: Sequence[DeadLetter]) -> Effects:
        yield Effect(None, state._replace(letters=state.letters | calls.numbers_in(each.body for each in letters)))

    def _letters_receive(self, state: State, _: Caller, _hidden_s: int) -> Effects:
        yield Effect(list(map(calls.delivery, sorted(state.letters))), state)

    def _letters_send_back(self, state: State, _: Caller, sent: Sequence[tuple[Delivery, ReplayMessage]]) -> Effects:
        bodies = [each.body for each, _ in sent]
        yield Effect(None, state._replace(messages=state.messages | calls.numbers_in(bodies)))

    def _letters_acknowledge(self, state: State, _: Caller, deliveries: Sequence[Delivery]) -> Effects:
        gone = calls.numbers_in(each.body for each in deliveries)
        yield Effect(None, state._replace(letters=state.letters - gone))
