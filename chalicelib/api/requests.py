"""Admits only signed requests, and reads what requests have in common: signer, headers, body, query parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chalice.app import Request
from pydantic import BaseModel, ValidationError

from chalicelib.core.errors import Fault, InvalidRequest, first_faults, shown_name
from chalicelib.core.fields import faults_of
from chalicelib.events.cloudevents import REPEATED
from chalicelib.ingest.authentication import SIGNATURE, Webhook
from chalicelib.runtime import event_wiring, system
from chalicelib.search.queries import NoParameters

Q = TypeVar("Q", bound=BaseModel)

MAX_CALLER_BYTES = 2_048
"""As long as an ARN can be: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumedRoleUser.html"""

IDEMPOTENCY_KEY = "Idempotency-Key"
"""https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07"""


def request_id(request: Request) -> str:
    """The id under which API Gateway logged the request; a new one where there is no gateway."""
    return str(request.context.get("requestId") or system.new_id())


def signer(request: Request) -> str | None:
    """The principal that API Gateway checked the signature of; None if it checked none."""
    identity = request.context.get("identity") or {}
    return identity.get("userArn") or None


def caller(request: Request) -> str:
    """The ARN of the principal that signed; else `webhook` if a webhook's secret did, or `local` without a gateway.

    The ARN of an assumed role ends in the name of the session.
    """
    unsigned = "webhook" if SIGNATURE in request.headers else "local"
    return (signer(request) or unsigned).encode()[:MAX_CALLER_BYTES].decode(errors="ignore")


def headers_of(request: Request) -> dict[str, str]:
    """Return every header. Chalice has only the last value of a repeated one, API Gateway all of them."""
    event: Mapping[str, Any] = request.to_original_event()
    repeated: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    last: Mapping[str, str] = event.get("headers") or {}
    given = {name.lower(): value for name, value in last.items()}
    given |= {name.lower(): REPEATED.join(values) for name, values in repeated.items()}
    return {as_unicode(name): as_unicode(value) for name, value in given.items()}


def as_unicode(header: str) -> str:
    """A header's name or value as text that answers, logs and quarantine can hold.

    Lambda gets headers as JSON, which can say lone surrogates. They become U+FFFD, which no header may hold either, so
    they are not mistaken for something else.
    """
    return header if header.isascii() else header.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def body_of(request: Request) -> bytes:
    """The body, byte for byte."""
    body = request.raw_body
    return body.encode() if isinstance(body, str) else body


def parameters(request: Request, model: type[Q]) -> Q:
    """The query parameters of a request; raises InvalidRequest with every fault."""
    try:
        return model.model_validate(_given(request))
    except ValidationError as error:
        raise InvalidRequest("The query is not valid.", faults_of(error)) from error


def _given(request: Request) -> dict[str, str]:
    given = request.query_params
    if given is None:
        return {}
    repeated = [name for name in given if len(given.getlist(name)) > 1]
    if repeated:
        faults = first_faults(Fault(shown_name(name), "is given more than once") for name in repeated)
        raise InvalidRequest("Give each parameter once.", faults)
    return dict(given)


def refuse_parameters(request: Request) -> None:
    """For a route without parameters: raises InvalidRequest if there are any."""
    parameters(request, NoParameters)


def refuse_body(request: Request) -> None:
    """Raise InvalidRequest if a request that needs only its path has a query or a body."""
    refuse_parameters(request)
    if body_of(request).strip() not in (b"", b"{}"):
        raise InvalidRequest("The request takes no body.", (Fault("body", "must be empty"),))


_TAKES_WEBHOOKS = "/ingest"


def admit(request: Request) -> None:
    """Raise Unauthenticated unless the request is signed."""
    event_wiring.authenticator().authenticate(signer(request), _webhook(request))


def _webhook(request: Request) -> Callable[[], Webhook] | None:
    """Reads a request as its sender signed it; None on a route that takes no webhooks."""
    takes_webhooks = request.context["resourcePath"] == _TAKES_WEBHOOKS
    return (lambda: Webhook(headers_of(request), body_of(request))) if takes_webhooks else None
