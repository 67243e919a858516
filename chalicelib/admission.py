"""Who may send events in: where webhooks are taken, whoever signed the request with a secret of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.domain.timestamps import Instant
from chalicelib.domain.webhook_signature import Webhook, verify


class WebhookSecrets(Protocol):
    """What webhooks are signed with."""

    def current(self) -> Sequence[bytes]:
        """Every key that is good now."""
        ...


@dataclass(frozen=True)
class Admit:
    """Looks at a request before anything is read from it. Without secrets API Gateway has checked who signed it."""

    secrets: WebhookSecrets | None
    now: Callable[[], Instant]

    def __call__(self, webhook: Callable[[], Webhook]) -> None:
        """Raise Unauthenticated for a webhook that is not signed with any secret; the request is read only for that."""
        if self.secrets is not None:
            verify(webhook(), self.secrets.current(), self.now())
