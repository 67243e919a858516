"""What ingest needs of storage beyond events."""

from __future__ import annotations

from typing import Protocol

from chalicelib.ingest.rejection import Rejection


class Quarantine(Protocol):
    """Where refused events are kept."""

    def keep(self, rejected: Rejection) -> None:
        """Keep a refused event; keeping the same bytes twice on one day is the same."""
