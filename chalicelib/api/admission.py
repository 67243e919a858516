"""Guards every route: only signed requests are read."""

from __future__ import annotations

from collections.abc import Callable

from chalice.app import Request

from chalicelib.api import requests
from chalicelib.ingest.authentication import Webhook
from chalicelib.runtime import event_wiring

_TAKES_WEBHOOKS = "/ingest"


def admit(request: Request) -> None:
    """Raise Unauthenticated unless the request is signed."""
    event_wiring.authenticator().authenticate(requests.signer(request), _webhook(request))


def _webhook(request: Request) -> Callable[[], Webhook] | None:
    """Reads a request as its sender signed it; None on a route that takes no webhooks."""
    takes_webhooks = request.context["resourcePath"] == _TAKES_WEBHOOKS
    return (lambda: Webhook(requests.headers_of(request), requests.body_of(request))) if takes_webhooks else None
