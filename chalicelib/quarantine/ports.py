"""Defines what reviewing quarantine needs of storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.timestamps import Day
from chalicelib.ingest.rejection import Rejection
from chalicelib.quarantine.retries import Listed, Retry


@dataclass(frozen=True, slots=True)
class RejectionsPage:
    """Refused events in a fixed order, and the id up to which quarantine was read, None if to the end of the day."""

    items: tuple[Listed, ...]
    read_to: str | None


class Quarantine(Protocol):
    """The rejections in quarantine, and the records of their retries."""

    def page(self, ingest_day: Day, after: str | None, limit: int) -> RejectionsPage:
        """At most `limit` refused events of a day, after an id; fewer if they are large."""

    def read(self, beginning: str) -> list[Rejection]:
        """The first two refused events whose ids begin so, as they are kept."""

    def retries(self, rejected_id: str) -> list[Retry]:
        """The first thousand retries of a refused event, oldest first."""

    def record(self, retry: Retry) -> None:
        """Keep the record of a retry; raises WriteConflict if another retry has the same moment."""
