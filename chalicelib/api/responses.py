"""Between Chalice and the use cases: requests read, answers and problems (RFC 9457) written."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ParamSpec

from chalice.app import Response

from chalicelib.core import errors
from chalicelib.core.problem_titles import TITLES, problem_type
from chalicelib.replays import responses as replays_responses
from chalicelib.runtime import telemetry
from chalicelib.search import responses as search_responses

if TYPE_CHECKING:
    from chalicelib.ingest.report import IngestReport

P = ParamSpec("P")

RETRY_AFTER_S = 2

_PROBLEM = {"Content-Type": "application/problem+json"}


_STATUS_OF: Mapping[type[errors.RetraceError], HTTPStatus] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.IntegrityFailure: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StorageRefused: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.NotConfigured: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.TryAgain: HTTPStatus.SERVICE_UNAVAILABLE,
}


def answers_problems(view: Callable[P, Response]) -> Callable[P, Response]:
    """Turn Retrace's errors into problems. Goes beneath `@app.route`, as Chalice would make them a bare 500."""

    @functools.wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except errors.RetraceError as error:
            status = next(_STATUS_OF[kind] for kind in type(error).__mro__ if kind in _STATUS_OF)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                telemetry.request_failed(error)
            return _problem(status, error)
        except Exception:  # noqa: BLE001  # logged whole, and answered like every other problem
            # Chalice would answer in a form of its own; what went wrong is for the log, not for the caller.
            telemetry.logger.exception("request failed unexpectedly")
            return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, errors.RetraceError("Something went wrong in Retrace."))

    return answered


def _problem(status: HTTPStatus, error: errors.RetraceError) -> Response:
    from chalicelib.replays.preview_report import ConfirmationNeeded

    faults = error.faults if isinstance(error, errors.PermanentError) else ()
    body = _problem_members(status, str(error)) | {"errors": [asdict(fault) for fault in faults]}
    if isinstance(error, ConfirmationNeeded):
        body["preview"] = replays_responses.preview(error.preview)
    return _json(status, body, {**_PROBLEM, **_more_headers(status, error)})


def _more_headers(status: HTTPStatus, error: errors.RetraceError) -> Mapping[str, str]:
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": error.scheme}
    return {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _problem_members(status: HTTPStatus, detail: str) -> dict[str, Any]:
    return {
        "type": problem_type(status),
        "title": TITLES[status],
        "status": status.value,
        "detail": detail.encode("utf-8", "replace").decode(),  # it may quote a path with a lone surrogate
    }


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    all_headers: dict[str, str | list[str]] = {"Content-Type": "application/json", **(headers or {})}
    return Response(text, all_headers, status)


def answer(body: Mapping[str, Any]) -> Response:
    """What was asked for."""
    return _json(HTTPStatus.OK, body)


def monitor_answer(body: Mapping[str, Any], *, good: bool) -> Response:
    """What was asked for, with a status that a monitor understands without reading it."""
    if good:
        return _json(HTTPStatus.OK, body)
    status = HTTPStatus.SERVICE_UNAVAILABLE
    detail = "There is no event as new as asked for."
    return _json(status, {**_problem_members(status, detail), "errors": [], **body}, _PROBLEM)


def accepted(body: Mapping[str, Any]) -> Response:
    """What was begun and goes on by itself."""
    return _json(HTTPStatus.ACCEPTED, body)


def raw_answer(event: bytes, content_sha256: str) -> Response:
    """An event's own text, as it was sent."""
    headers: dict[str, str | list[str]] = {"Content-Type": "application/json", "X-Content-Sha256": content_sha256}
    return Response(event.decode(), headers, HTTPStatus.OK)


def ingest_answer(report: IngestReport) -> Response:
    """The answer to POST /ingest: one result, or a list of them with counts."""
    from chalicelib.events.arrivals import Status

    if report.batch:
        return _json(_batch_status(report), search_responses.ingest_report(report))
    result = report.results[0]
    body = search_responses.event_result(result)
    if not result.refused:
        created = result.status is Status.ACCEPTED and not report.dry_run
        return _json(HTTPStatus.CREATED if created else HTTPStatus.OK, body)
    conflict = result.status is Status.CONFLICT
    status = HTTPStatus.CONFLICT if conflict else HTTPStatus.BAD_REQUEST
    why = "An event of this identity is known with other content." if conflict else "The event is not valid."
    # The member "status" stays the event's, as in every result; RFC 9457, 3.1, ignores one that is not a number.
    detail = why + ("" if report.dry_run else " It is kept in quarantine with the reasons.")
    return _json(status, _problem_members(status, detail) | body, _PROBLEM)


def _batch_status(report: IngestReport) -> HTTPStatus:
    refused = sum(result.refused for result in report.results)
    if refused == 0:
        return HTTPStatus.OK
    return HTTPStatus.BAD_REQUEST if refused == len(report.results) else HTTPStatus.MULTI_STATUS
