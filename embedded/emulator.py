"""MiniStack, without two waits that AWS does not have.

    python embedded/emulator.py

It runs in the emulator's own environment, in the place of `python -m ministack`, and answers the same. MiniStack looks
at every row of a partition for each query, whatever its window, and parsed the condition anew for each row. And it
waited 50 ms for the first line that a function logs, where that logs nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import dynamodb

Item = Mapping[str, Any]
Holds = Callable[[Item], bool]

_NAME, _VALUE = r"(#?\w+)", r"(:\w+)"
_RANGE = re.compile(rf"{_NAME} = {_VALUE} AND {_NAME} BETWEEN {_VALUE} AND {_VALUE}", re.ASCII)


@dataclass(frozen=True)
class Condition:
    """A condition with its values, as one request says it."""

    text: str
    values: Mapping[str, Item]
    names: Mapping[str, str]
    slot: str

    def is_that_of(self, text: str, values: Any, names: Any, slot: str) -> bool:
        """Whether these are the very objects of the same request, which nobody has to compare in depth."""
        return self.text is text and self.values is values and self.names is names and self.slot == slot

    @cached_property
    def holds(self) -> Holds:
        """What says of a row whether the condition holds; the text is known to be right."""
        return self._range() or self._any()

    def _range(self) -> Holds | None:
        match = _RANGE.fullmatch(self.text)
        if match is None:
            return None
        partition, sort = (self.names.get(name, name) for name in match.group(1, 3))
        key, low, high = (self.values.get(name, {}) for name in match.group(2, 4, 5))
        if not (key.keys() == low.keys() == high.keys() == {"S"}):
            return None
        first, last = low["S"], high["S"]
        return lambda item: item.get(partition) == key and first <= item.get(sort, {}).get("S", "") <= last

    def _any(self) -> Holds:
        tokens = dynamodb._tokenize(self.text)  # noqa: SLF001  # there is no other way to have it done once
        return lambda item: dynamodb._ExprEval(tokens, item, self.values, self.names).evaluate()  # noqa: SLF001


class Conditions:
    """Conditions as MiniStack evaluates them; the last one is remembered."""

    def __init__(self, evaluate: Callable[..., bool]) -> None:
        self._evaluate = evaluate
        self._last: Condition | None = None

    def __call__(self, text: str, item: Item, values: Any, names: Any, slot: str = "ConditionExpression") -> bool:
        """Whether it holds for a row; raises what MiniStack raises, which looks at the first row as ever."""
        last = self._last
        if last is not None and last.is_that_of(text, values, names, slot):
            try:
                return last.holds(item)
            except Exception:  # noqa: BLE001  # MiniStack says what it is
                return self._evaluate(text, item, values, names, slot)
        answer = self._evaluate(text, item, values, names, slot)
        self._last = Condition(text, values, names, slot) if text and text.strip() else None
        return answer


def hasten() -> None:
    """Put this in the place of MiniStack's own."""
    dynamodb._evaluate_condition = Conditions(dynamodb._evaluate_condition)  # noqa: SLF001  # as above
    lambda_runtime._PYTHON_WORKER_SCRIPT = with_a_line(lambda_runtime._PYTHON_WORKER_SCRIPT)  # noqa: SLF001


def with_a_line(worker: str) -> str:
    """The program that calls functions, writing an empty line after each call; none of it comes into a log."""
    called = "result = handler_fn(event, context)\n"
    before, found, after = worker.partition(called)
    if not found:
        raise RuntimeError("MiniStack calls functions in another way than it did.")
    return f"{before}{called}            print(file=sys.stderr, flush=True)\n{after}"


if __name__ == "__main__":
    hasten()
    main()
