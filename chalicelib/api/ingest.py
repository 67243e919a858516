"""POST /ingest: reads events, ingests them, and answers what became of them."""

from __future__ import annotations

from http import HTTPStatus

from chalice.app import Request, Response

from chalicelib.api import requests
from chalicelib.api.responses import answer, as_problem
from chalicelib.core.errors import RequestTooLarge
from chalicelib.events.arrivals import Status
from chalicelib.ingest import responses
from chalicelib.ingest.queries import MOST_RESULTS, AnswerQuery, IngestQuery, Listed
from chalicelib.ingest.report import IngestReport
from chalicelib.ingest.request import IngestRequest, parse_request, with_own_keys
from chalicelib.runtime import ingest_wiring, telemetry


def ingest(request: Request) -> Response:
    """POST /ingest."""
    request_id, sent_by = requests.request_id(request), requests.caller(request)
    submitted = ingest_request(request)
    query = requests.parameters(request, IngestQuery)
    if query.results is Listed.ALL:
        require_listable(submitted, "?results=all lists")
    use_case = ingest_wiring.ingest()
    take_in = use_case.dry_run if query.dry_run else use_case.take_in
    report = take_in(submitted, request_id, sent_by)
    telemetry.ingested(report, request_id, sent_by)
    return ingest_answer(report, query)


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


def require_listable(request: IngestRequest, who: str) -> None:
    """Raise RequestTooLarge if a request has more events than there may be results in one answer."""
    if len(request.submissions) > MOST_RESULTS:
        raise RequestTooLarge(
            f"{who} at most {MOST_RESULTS:,} results, and the request has {len(request.submissions):,} events."
            " Send fewer in each request."
        )


def ingest_answer(report: IngestReport, query: AnswerQuery) -> Response:
    """The result of one event, or counts and results of a batch."""
    if report.batch:
        headers = {responses.REFUSED_HEADER: str(report.refused)} if report.refused else {}
        status = _strict_status(report) if query.strict else HTTPStatus.OK
        return answer(responses.ingest_report(report, query.results), status, headers)
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


def _strict_status(report: IngestReport) -> HTTPStatus:
    if report.refused == 0:
        return HTTPStatus.OK
    return HTTPStatus.BAD_REQUEST if report.refused == len(report.results) else HTTPStatus.MULTI_STATUS
