"""Merging pages of several partitions into one order, however far each of them has been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.events.raw_objects import StoredEvent


@dataclass(frozen=True, slots=True)
class Row:
    """An indexed event under the sort key that orders it."""

    sort_key: str
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Page:
    """Index rows in order, and the sort key up to which the partition was read, None if it was read to its end.

    Rows may have been filtered out, so a page may end further on than its last row.
    """

    rows: tuple[Row, ...]
    read_to: str | None

    @property
    def brought(self) -> int:
        """How many rows were fetched."""
        return len(self.rows)

    @property
    def events(self) -> tuple[StoredEvent, ...]:
        """The events of the rows."""
        return tuple(row.event for row in self.rows)


def first_of(page: Page, limit: int) -> Page:
    """At most so many of a page's rows, and the position to go on from."""
    if len(page.rows) <= limit:
        return page
    return Page(page.rows[:limit], page.rows[limit - 1].sort_key)


def merged(pages: Sequence[Page], *, newest_first: bool) -> Page:
    """One page of all partitions: only rows that no partition can still bring something before."""
    ends = [page.read_to for page in pages if page.read_to is not None]
    rows = sorted((row for page in pages for row in page.rows), key=lambda row: row.sort_key, reverse=newest_first)
    if not ends:
        return Page(tuple(rows), None)
    horizon = max(ends) if newest_first else min(ends)
    within = (row for row in rows if (row.sort_key >= horizon if newest_first else row.sort_key <= horizon))
    return Page(tuple(within), horizon)
