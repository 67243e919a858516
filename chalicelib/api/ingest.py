"""POST /ingest: reads events, ingests them, and answers with a result for each."""

from __future__ import annotations

from http import HTTPStatus

from chalice.app import Request, Response

from chalicelib.api import requests
from chalicelib.api.responses import answer, as_problem
from chalicelib.events.arrivals import Status
from chalicelib.ingest import responses
from chalicelib.ingest.report import IngestReport
from chalicelib.ingest.request import IngestRequest, parse_request, with_own_keys
from chalicelib.runtime import ingest_wiring, telemetry
from chalicelib.search.queries import IngestQuery


def ingest(request: Request) -> Response:
    """POST /ingest."""
    request_id = requests.request_id(request)
    submitted = ingest_request(request)
    query = requests.parameters(request, IngestQuery)
    use_case = ingest_wiring.ingest()
    report = use_case.dry_run(submitted) if query.dry_run else use_case.take_in(submitted, request_id)
    telemetry.ingested(report, request_id)
    return ingest_answer(report)


def ingest_request(request: Request) -> IngestRequest:
    """The events of a request."""
    headers = requests.headers_of(request)
    content_type, encoding = (request.headers.get(name) for name in ("content-type", "content-encoding"))
    read = parse_request(
        requests.body_of(request),
        None if content_type is None else requests.as_unicode(content_type),
        None if encoding is None else requests.as_unicode(encoding),
        headers,
    )
    return with_own_keys(read) if requests.IDEMPOTENCY_KEY.lower() in headers else read


def ingest_answer(report: IngestReport) -> Response:
    """One result, or a list of them with counts."""
    if report.batch:
        return answer(responses.ingest_report(report), _batch_status(report))
    result = report.results[0]
    body = responses.event_result(result)
    if not result.refused:
        created = result.status is Status.ACCEPTED and not report.dry_run
        return answer(body, HTTPStatus.CREATED if created else HTTPStatus.OK)
    conflict = result.status is Status.CONFLICT
    status = HTTPStatus.CONFLICT if conflict else HTTPStatus.BAD_REQUEST
    why = "An event of this identity is known with other content." if conflict else "The event is not valid."
    detail = why + ("" if report.dry_run else " It is kept in quarantine with the reasons.")
    # The member "status" stays the event's, as in every result; RFC 9457, 3.1, ignores one that is not a number.
    return as_problem(status, detail, body)


def _batch_status(report: IngestReport) -> HTTPStatus:
    refused = sum(result.refused for result in report.results)
    if refused == 0:
        return HTTPStatus.OK
    return HTTPStatus.BAD_REQUEST if refused == len(report.results) else HTTPStatus.MULTI_STATUS
