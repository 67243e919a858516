"""The routes about rejected events."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.api import requests
from chalicelib.api.ingest import ingest_answer, ingest_request, require_listable
from chalicelib.api.responses import answer
from chalicelib.events.cloudevents import HEADER_PREFIX
from chalicelib.ingest.queries import IngestQuery
from chalicelib.quarantine import responses
from chalicelib.quarantine.retries import RejectedQuery, RetryRequest
from chalicelib.runtime import query_wiring, telemetry


def rejections(request: Request) -> Response:
    """GET /rejected."""
    query = requests.parameters(request, RejectedQuery)
    found = query_wiring.review_quarantine().find(query)
    return answer(responses.rejections(found))


def rejection(rejected_id: str) -> Response:
    """GET /rejected/{rejected_id}."""
    kept = query_wiring.review_quarantine().get(rejected_id)
    return answer(responses.rejection(kept))


def retry(request: Request, rejected_id: str) -> Response:
    """POST /rejected/{rejected_id}/retry."""
    query = requests.parameters(request, IngestQuery)
    asked = _retry_request(request)
    report = query_wiring.review_quarantine().retry(rejected_id, asked, dry_run=query.dry_run)
    telemetry.ingested(report, asked.request_id, asked.requested_by)
    return ingest_answer(report, query)


def _retry_request(request: Request) -> RetryRequest:
    """The requester of a retry, and the correction in the request: a body, or a CloudEvent in its headers."""
    given = bool(requests.body_of(request)) or any(name.lower().startswith(HEADER_PREFIX) for name in request.headers)
    correction = ingest_request(request) if given else None
    if correction is not None:
        require_listable(correction, "The record of a retry lists")
    return RetryRequest(requests.caller(request), requests.request_id(request), correction)
