"""What happened on the way to a state of the model of replays, told line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from chalicelib.replays.job import Outbox, ReplayJob
from tests.unit import replay_calls as calls
from tests.unit.exploration import Explored
from tests.unit.replay_model import Model, State
from tests.unit.stepped import Call, Raised


def told(model: Model, found: Explored[State]) -> str:
    """What is wrong, and each step of the way there with the job after it."""
    if not found.wrong:
        return f"Nothing is wrong with {found.states:,} states."
    names, state = _Names(model), model.begin
    lines = []
    for what, after in found.way:
        lines.append(f"{names.of_step(what, state, after):60}  {_shown(model, after)}")
        state = after
    return "\n".join([f"{found.wrong} {len(lines)} steps lead there:", *lines])


class _Names:
    """Tells planners apart although in a state they are numbers that change with every step."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._begun: dict[str, int] = defaultdict(int)
        self._names: dict[int, list[str]] = defaultdict(list)

    def of_step(self, what: tuple[Any, ...], before: State, after: State) -> str:
        if isinstance(what[0], str):
            return " ".join(map(str, what))
        process = self._model.processes.known[what[0]]
        if what[1] == "begins":
            self._begun[process.role] += 1
            name = f"{process.role} {self._begun[process.role]}"
        else:
            name = self._names[what[0]].pop()
        for number, _ in _joined(before, after):
            self._names[number].append(name)
        return f"{name} {_said(what)}"


def _joined(before: State, after: State) -> Iterator[tuple[int, Any]]:
    remaining = list(before.at_work)
    for worker in after.at_work:
        if worker in remaining:
            remaining.remove(worker)
        else:
            yield worker


def _said(what: tuple[Any, ...]) -> str:
    if not isinstance(what[1], Call):
        return str(what[1])
    _, call, answer, odd = what
    of = _of(call, answer)
    failed = f": {type(answer.error).__name__}" if isinstance(answer, Raised) else ""
    return f"{call.port}.{call.method}{of}{failed}{f', {odd}' if odd else ''}"


def _of(call: Call, answer: Any) -> str:
    """What a call is about, where that matters."""
    match call.method, call.args:
        case "commit", (ReplayJob(), ReplayJob() as reached, *outbox):
            sends = [sorted(calls.numbers_of(each.messages)) for each in outbox if isinstance(each, Outbox)]
            return f" {reached.revision} {reached.state} to send {sends[0] if sends else []}"
        case "send", (messages,):
            return f" {sorted(calls.numbers_of(messages))}"
        case "page", _ if hasattr(answer, "rows"):
            return f" {sorted(calls.numbers_of(answer.events))}"
        case "add", (days,):
            return f" {[entity for entity, _ in days]}"
    return ""


def _shown(model: Model, state: State) -> str:
    job, outcomes, outbox = model.facts(state)
    became = [outcome.value if outcome else "-" for outcome in outcomes]
    return (
        f"| {job.revision} {job.public_state}, outbox {sorted(outbox)}, {job.processed} of {job.sent};"
        f" queue {sorted(state.messages)}; {' '.join(became)}"
    )
