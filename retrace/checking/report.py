"""Reports differences, and turns errors of AWS and of disks into problems that the user can solve."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind
from retrace.output import ROWS_A_TABLE, Column, Json, Output
from retrace.problem import Exit, Problem
from retrace.progress import Counting


@contextmanager
def disk_in_words(what: str, remedy: str) -> Iterator[None]:
    """Raise Problem in place of an error of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise Problem(f"{what} cannot be written or read: {error}.", remedy, Exit.USAGE) from error


_COLUMNS = (
    Column("difference", lambda item: item["difference"], style=lambda _: "red"),
    Column("where", lambda item: item["where"], several_lines=True),
    Column("in", lambda item: ", ".join(item["fields"]) or item["detail"]),
    Column("repair", lambda item: item["repair"]),
)


def shown(
    output: Output, progress: Counting, differences: Iterable[tuple[Difference, str]], nothing: str
) -> dict[Kind, int]:
    """Show differences, each with what becomes of it, as they are found; answers how many there are of each kind."""
    kinds: dict[Kind, int] = {}

    def items(some: Iterable[tuple[Difference, str]]) -> Iterator[Json]:
        for difference, repair in some:
            kinds[difference.kind] = kinds.get(difference.kind, 0) + 1
            item = difference.as_json() | {"repair": repair}
            yield item if output.as_json else item | {"where": difference.where}

    left = iter(differences)
    while some := list(islice(left, 1 if output.as_json else ROWS_A_TABLE)):
        progress.pause()
        output.rows(items(some), _COLUMNS, "")
        progress.go_on()
    progress.pause()
    if not kinds and progress.counts.total():
        output.note(nothing)
    for kind, count in kinds.items():
        output.say(f"{count:,} {kind}: {kind.sentence}")
        output.say(f"→ {kind.remedy}", "dim")
    return kinds
