"""Use cases that stop at every call of a port: all that one is, is what it was asked to do and the answers it has had.

So it can be held in a set, gone on with along every way, or left where it is, as if its function had ended. It runs
from its beginning for each answer, on the code itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Call(NamedTuple):
    """What a use case waits for: a method of a port."""

    port: str
    method: str
    args: tuple[Any, ...]


class Ended(NamedTuple):
    """What came of a use case that waits for nothing: its answer, or what it raised."""

    answer: Any = None
    error: Exception | None = None


class Raised(NamedTuple):
    """An answer that is no value."""

    error: Exception


class _Waiting(BaseException):
    """No use case catches it."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


@dataclass(frozen=True)
class Script:
    """The answers that are known."""

    answers: Iterator[Any]

    def port(self, name: str) -> Any:
        """A port that gives them."""
        return _Port(name, self)

    def answer(self, call: Call) -> Any:
        """The next; a call without one ends the run."""
        for answer in self.answers:
            if isinstance(answer, Raised):
                raise answer.error
            return answer
        raise _Waiting(call)


class _Port:
    def __init__(self, name: str, script: Script) -> None:
        self._name, self._script = name, script

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args, **more: self._script.answer(Call(self._name, method, (*args, *more.values())))


UseCase = Callable[[Script, Any], Any]
"""Does a task with the ports of a script."""


class Process(NamedTuple):
    """One run of a use case, as far as it has come."""

    role: str
    task: Any
    answers: tuple[int, ...]
    next: Call | Ended


@dataclass
class Processes:
    """Every process that there was, by number: processes that have had the same answers are one."""

    use_cases: dict[str, UseCase]
    known: list[Process] = field(default_factory=list)
    _numbers: dict[Hashable, int] = field(default_factory=dict)
    _answers: list[Any] = field(default_factory=list)
    _answer_numbers: dict[Hashable, int] = field(default_factory=dict)

    def begun(self, role: str, task: Hashable) -> int:
        """A process that has had no answer yet."""
        return self._number(role, task, ())

    def answered(self, number: int, answer: Any) -> int:
        """The process once it has one more answer."""
        process = self.known[number]
        return self._number(process.role, process.task, (*process.answers, self._of_answer(answer)))

    def _of_answer(self, answer: Any) -> int:
        key = identity(answer)
        if key not in self._answer_numbers:
            self._answer_numbers[key] = len(self._answers)
            self._answers.append(answer)
        return self._answer_numbers[key]

    def _number(self, role: str, task: Hashable, answers: tuple[int, ...]) -> int:
        key = role, task, answers
        if key not in self._numbers:
            self._numbers[key] = len(self.known)
            self.known.append(Process(role, task, answers, self._run(role, task, answers)))
        return self._numbers[key]

    def _run(self, role: str, task: Hashable, answers: tuple[int, ...]) -> Call | Ended:
        script = Script(self._answers[number] for number in answers)
        try:
            return Ended(self.use_cases[role](script, task))
        except _Waiting as waiting:
            return waiting.call
        except Exception as error:  # noqa: BLE001  # as Lambda does
            return Ended(error=error)


def identity(thing: Any) -> Hashable:
    """What tells things apart; of what cannot be hashed, and of errors, the text."""
    if isinstance(thing, Raised):
        return type(thing.error), str(thing.error), repr(vars(thing.error))
    try:
        hash(thing)
    except TypeError:
        return type(thing), repr(thing)
    return type(thing), thing
