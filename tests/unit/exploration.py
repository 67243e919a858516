"""Go through every state that can be reached, breadth first, and find the shortest way to one that must not be."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """What may happen in a state, and the state after it; a fault need not happen, what is no fault will."""

    what: tuple[object, ...]
    after: S
    fault: bool = False


@dataclass(frozen=True)
class Explored(Generic[S]):
    """How many states and steps there are; what is wrong, if anything is, and the way there."""

    states: int
    steps: int
    wrong: str = ""
    way: tuple[tuple[tuple[object, ...], S], ...] = ()


def explored(
    begin: S,
    steps: Callable[[S], Iterable[Step[S]]],
    wrong: Callable[[S, S], str],
    ended: Callable[[S], bool],
) -> Explored[S]:
    """Every state from the first on; `wrong` says what is wrong with a step, `ended` whether a state is an end.

    A state that no end can be reached from without faults is wrong, too.
    """
    numbers: dict[S, int] = {begin: 0}
    states = [begin]
    parents = array("l", [-1])
    without_fault: tuple[array[int], array[int]] = array("l"), array("l")
    count = 0

    def way(number: int) -> tuple[tuple[tuple[object, ...], S], ...]:
        taken: list[tuple[tuple[object, ...], S]] = []
        while number > 0:
            before, after = states[parents[number]], states[number]
            taken.append((next(step.what for step in steps(before) if step.after == after), after))
            number = parents[number]
        return tuple(reversed(taken))

    at = 0
    while at < len(states):
        state = states[at]
        for step in steps(state):
            count += 1
            number = numbers.setdefault(step.after, len(states))
            if number == len(states):
                states.append(step.after)
                parents.append(at)
            if not step.fault:
                without_fault[0].append(number)
                without_fault[1].append(at)
            if problem := wrong(state, step.after):
                return Explored(len(states), count, problem, (*way(at), (step.what, step.after)))
        at += 1
    stuck = _first_stuck([ended(state) for state in states], *without_fault)
    if stuck is not None:
        return Explored(len(states), count, "No end can be reached any more.", way(stuck))
    return Explored(len(states), count)


def _first_stuck(reaches: list[bool], after: array[int], before: array[int]) -> int | None:
    """The first state that reaches no end, by going back from all ends."""
    leading: dict[int, list[int]] = {}
    for number, by in zip(after, before, strict=True):
        leading.setdefault(number, []).append(by)
    todo = [number for number, end in enumerate(reaches) if end]
    while todo:
        for number in leading.get(todo.pop(), ()):
            if not reaches[number]:
                reaches[number] = True
                todo.append(number)
    return next((number for number, reaching in enumerate(reaches) if not reaching), None)
