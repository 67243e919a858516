"""Defines what ingest needs of storage beyond events: the quarantine, and the secrets of webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chalicelib.ingest.rejection import Rejection


class Quarantine(Protocol):
    """Where rejections are kept."""

    def keep(self, rejected: Rejection) -> None:
        """Keep a rejection. Keeping the same bytes twice on one day is the same."""


class WebhookSecrets(Protocol):
    """What webhooks are signed with."""

    def current(self) -> Sequence[bytes]:
        """Every key that is good now."""
