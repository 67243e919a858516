"""Which requests a function reads: those whose signer API Gateway names, and webhooks signed with a known secret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.core.errors import Unauthenticated
from chalicelib.core.timestamps import Instant
from chalicelib.ingest.webhooks import Webhook, verify


class WebhookSecrets(Protocol):
    """What webhooks are signed with."""

    def current(self) -> Sequence[bytes]:
        """Every key that is good now."""
        ...


_UNSIGNED = "The request is not signed. Sign it with AWS Signature Version 4, service execute-api."


@dataclass(frozen=True)
class Admit:
    """Looks at a request before anything else is read from it.

    In Lambda nothing is taken on trust: an API that asks for no signature, by mistake or while it is being changed,
    opens no route.
    """

    secrets: WebhookSecrets | None
    now: Callable[[], Instant]
    in_lambda: bool

    def __call__(self, signer: str | None, webhook: Callable[[], Webhook] | None) -> None:
        """Raise Unauthenticated unless IAM knows the signer or, on a route that takes webhooks, a secret signed it."""
        if signer is not None:
            return
        if webhook is not None and self.secrets is not None:
            verify(webhook(), self.secrets.current(), self.now())
        elif self.in_lambda:
            raise Unauthenticated(_UNSIGNED, scheme="AWS4-HMAC-SHA256")
