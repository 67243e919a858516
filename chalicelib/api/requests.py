"""What came in, over HTTP or from a queue, read into what the use cases take, which is imported when it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chalice.app import Request, SQSEvent, SQSRecord

from chalicelib.api import query_parameters
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.runtime import deadline, system

if TYPE_CHECKING:
    from chalicelib.core.deliveries import Delivery
    from chalicelib.ingest.request import IngestRequest
    from chalicelib.ingest.webhooks import Webhook
    from chalicelib.quarantine.retries import RetryRequest
    from chalicelib.replays.request import ReplayRequest, Requester

# https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07
_IDEMPOTENCY_KEY = "Idempotency-Key"
_TAKES_WEBHOOKS = "/ingest"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

SHORTEST_MS = 10_000
"""Every deployed function begins with more: .chalice/config.json has their timeouts."""


def request_id(request: Request) -> str:
    """The id under which API Gateway logged the request; a new one where there is no gateway."""
    return str(request.context.get("requestId") or system.new_id())


def signer(request: Request) -> str | None:
    """The principal that API Gateway checked the signature of; None if it checked none."""
    identity = request.context.get("identity") or {}
    return identity.get("userArn") or None


def caller(request: Request) -> str:
    """Who signed the request; `anonymous` outside Lambda (chalice local), and for a webhook."""
    return signer(request) or "anonymous"


def webhook(request: Request) -> Callable[[], Webhook] | None:
    """Reads a request as its sender signed it; None on a route that takes no webhooks."""
    return (lambda: _webhook(request)) if request.context["resourcePath"] == _TAKES_WEBHOOKS else None


def _webhook(request: Request) -> Webhook:
    from chalicelib.ingest.webhooks import Webhook

    return Webhook(_headers(request), _body(request))


def ingest_request(request: Request) -> IngestRequest:
    """The events of a request."""
    from chalicelib.ingest.own_keys import with_own_keys
    from chalicelib.ingest.request import parse_request

    headers = _headers(request)
    content_type, encoding = (request.headers.get(name) for name in ("content-type", "content-encoding"))
    read = parse_request(
        _body(request),
        None if content_type is None else _unicode(content_type),
        None if encoding is None else _unicode(encoding),
        headers,
    )
    return with_own_keys(read) if _IDEMPOTENCY_KEY.lower() in headers else read


def _headers(request: Request) -> dict[str, str]:
    """Every header; Chalice tells of a repeated one only the last value, API Gateway all of them."""
    from chalicelib.events.cloudevents import REPEATED

    event: Mapping[str, Any] = request.to_original_event()
    repeated: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    last: Mapping[str, str] = event.get("headers") or {}
    given = {name.lower(): value for name, value in last.items()}
    given |= {name.lower(): REPEATED.join(values) for name, values in repeated.items()}
    return {_unicode(name): _unicode(value) for name, value in given.items()}


def _unicode(header: str) -> str:
    """A header's name or value as text that answers, logs and quarantine can hold.

    Lambda gets headers as JSON, which can say lone surrogates. They become U+FFFD, which no header may hold either, so
    that nobody takes them for something else.
    """
    return header if header.isascii() else header.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def retry_request(request: Request) -> RetryRequest:
    """Who asks for a retry, and the correction that the request may carry: a body, or a CloudEvent in its headers."""
    from chalicelib.events.cloudevents import HEADER_PREFIX
    from chalicelib.quarantine.retries import RetryRequest

    query_parameters.nothing(request)
    given = bool(_body(request)) or any(name.lower().startswith(HEADER_PREFIX) for name in request.headers)
    return RetryRequest(caller(request), request_id(request), ingest_request(request) if given else None)


def replay_request(request: Request) -> ReplayRequest:
    """What a request wants replayed."""
    from chalicelib.replays.request import parse_replay_request

    query_parameters.nothing(request)
    return parse_replay_request(_body(request))


def bare_request(request: Request) -> str:
    """Who sent a request that says everything with its path; raises InvalidRequest if it says more."""
    query_parameters.nothing(request)
    if _body(request).strip() not in (b"", b"{}"):
        raise InvalidRequest("The request takes no body.", (Fault("body", "must be empty"),))
    return caller(request)


def requester(request: Request) -> Requester:
    """Who asks for a replay, and the idempotency key that the request may carry."""
    from chalicelib.replays.request import Requester

    key = _headers(request).get(_IDEMPOTENCY_KEY.lower())
    if key is not None and not _KEY.fullmatch(key):
        fault = Fault(_IDEMPOTENCY_KEY, "must be given once, with 1 to 255 visible ASCII characters")
        raise InvalidRequest("The idempotency key is not valid.", (fault,))
    return Requester(caller(request), key)


def _body(request: Request) -> bytes:
    body = request.raw_body
    return body.encode() if isinstance(body, str) else body


def times_received(record: SQSRecord) -> int:
    """How often SQS has given out a message, this time included."""
    return int(record.to_dict()["attributes"]["ApproximateReceiveCount"])


def within_its_time(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Chalice middleware: of what an invocation does, nothing begins that could outlast the function.

    Chalice's test client tells every function that three seconds are left, but never stops it: that is not a deadline.
    """
    context: Any = event.lambda_context if isinstance(event, Request) else event.context
    if context.get_remaining_time_in_millis() < SHORTEST_MS:
        return get_response(event)
    with deadline.lasting(context.get_remaining_time_in_millis):
        return get_response(event)


def deliveries(event: SQSEvent) -> list[Delivery]:
    """The messages that a queue delivered."""
    from chalicelib.core.deliveries import Delivery

    return [Delivery(record.to_dict()["messageId"], record.receipt_handle, record.body) for record in event]
