"""What two versions of a daily aggregate do not share, found by walking along both of their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from chalicelib.domain.aggregation import Input

T = TypeVar("T")

Pair = tuple[Input | None, Input | None]
"""An input of one version beside that of the other with the same time and id, None where it has none."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An event that both versions hold, with different content."""

    before: Input
    after: Input


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first differences in order of time and id, and how many there are in all."""

    only_in_from: tuple[Input, ...]
    only_in_to: tuple[Input, ...]
    changed: tuple[Changed, ...]
    only_in_from_count: int
    only_in_to_count: int
    changed_count: int
    shared_count: int

    @property
    def truncated(self) -> bool:
        """Whether there are more differences than are listed."""
        listed = (len(self.only_in_from), len(self.only_in_to), len(self.changed))
        return listed != (self.only_in_from_count, self.only_in_to_count, self.changed_count)


@dataclass(slots=True)
class _Listed(Generic[T]):
    """The first of many, all of them counted."""

    limit: int
    first: list[T] = field(default_factory=list)
    count: int = 0

    def add(self, found: T) -> None:
        self.count += 1
        if self.count <= self.limit:
            self.first.append(found)


def compare(left: Iterable[Input], right: Iterable[Input], limit: int) -> Comparison:
    """Compare inputs that come in order of time and id, keeping at most `limit` differences of each kind."""
    only_left, only_right, changed = _Listed[Input](limit), _Listed[Input](limit), _Listed[Changed](limit)
    shared = 0
    for before, after in paired(left, right):
        if before is not None and after is not None:
            if before.content_sha256 == after.content_sha256:
                shared += 1
            else:
                changed.add(Changed(before, after))
        elif before is not None:
            only_left.add(before)
        elif after is not None:
            only_right.add(after)
    return Comparison(
        only_in_from=tuple(only_left.first),
        only_in_to=tuple(only_right.first),
        changed=tuple(changed.first),
        only_in_from_count=only_left.count,
        only_in_to_count=only_right.count,
        changed_count=changed.count,
        shared_count=shared,
    )


def paired(left: Iterable[Input], right: Iterable[Input]) -> Iterator[Pair]:
    """Inputs of both sides side by side; each side in order of time and id, read as the walk goes on."""
    lefts, rights = iter(left), iter(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.place < other.place):
            yield one, None
            one = next(lefts, None)
        elif one is None or other.place < one.place:
            yield None, other
            other = next(rights, None)
        else:
            yield one, other
            one, other = next(lefts, None), next(rights, None)
