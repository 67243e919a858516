"""Compares two versions of a daily aggregate by walking along the inputs of both, page by page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ports import InputsPage
from chalicelib.metrics.contribution import Contributed
from chalicelib.metrics.definition import Definition

PositionOf = Callable[[Input], str]
"""The position just behind an input."""


@dataclass
class Side:
    """One version: up to which position its inputs are compared, and those that are read and not compared yet."""

    version: Version
    position_of: PositionOf
    metric: Definition | None = None
    after: str | None = None
    more: bool = True
    _waiting: deque[Input] = field(default_factory=deque)
    _read_to: str | None = None

    @property
    def lags(self) -> bool:
        """Whether its next input is not known before another page is read."""
        return self.more and not self._waiting

    @property
    def next(self) -> Input | None:
        """Its next input, None at the end."""
        return self._waiting[0] if self._waiting else None

    def contribution(self, single: Input | None) -> Contributed | None:
        """What an input of this version contributed to the metric that is compared."""
        return None if single is None or self.metric is None else single.contributed_to(self.metric)

    def take_in(self, page: InputsPage) -> None:
        """Keep the page that follows. One without inputs is compared as it is."""
        self._waiting.extend(page.inputs)
        self._read_to, self.more = page.read_to, page.read_to is not None
        if not page.inputs:
            self.after = page.read_to or self.after

    def pass_by(self) -> Input:
        """Go on after the next input."""
        passed = self._waiting.popleft()
        self.after = self.position_of(passed) if self._waiting else self._read_to or self.position_of(passed)
        return passed


@dataclass(frozen=True, slots=True)
class Changed:
    """An event that both versions hold, with different content."""

    before: Input
    after: Input


@dataclass(frozen=True, slots=True)
class Weighed:
    """An event that contributed to a metric differently in two versions, and what; None is nothing."""

    event: Input
    before: Contributed | None
    after: Contributed | None


@dataclass
class Comparison:
    """The differences of a part of the inputs in order of time and id, and how many inputs both share there.

    `weighed` are the inputs that contributed differently to the metric that is compared; `redefined` counts those among
    them that both share.
    """

    only_in_from: list[Input] = field(default_factory=list)
    only_in_to: list[Input] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    shared: int = 0
    weighed: list[Weighed] = field(default_factory=list)
    redefined: int = 0

    @property
    def differences(self) -> int:
        """How many were found."""
        return len(self.only_in_from) + len(self.only_in_to) + len(self.changed) + self.redefined

    def add(self, from_: Side, to: Side) -> bool:
        """Compare the next input and pass it. False if there is none. An input is the same if time and id are."""
        before, after = from_.next, to.next
        if before is None and after is None:
            return False
        if after is None or (before is not None and before.key < after.key):
            self.only_in_from.append(from_.pass_by())
            self._weigh(before, from_.contribution(before), None)
        elif before is None or after.key < before.key:
            self.only_in_to.append(to.pass_by())
            self._weigh(after, None, to.contribution(after))
        else:
            is_shared = from_.pass_by().content_sha256 == to.pass_by().content_sha256
            differs = self._weigh(after, from_.contribution(before), to.contribution(after))
            if is_shared:
                self.shared += 1
                self.redefined += differs
            else:
                self.changed.append(Changed(before, after))
        return True

    def _weigh(self, event: Input | None, before: Contributed | None, after: Contributed | None) -> bool:
        """Keep what an event contributed, if it differs; answers whether it does."""
        differs = event is not None and before != after
        if event is not None and differs:
            self.weighed.append(Weighed(event, before, after))
        return differs
