"""Writes answers and problems (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from chalice.app import Response

from chalicelib.core import errors
from chalicelib.core.errors import TITLES, problem_type
from chalicelib.core.lossless_json import Number
from chalicelib.core.schemas import CSV, CURSOR_HEADER, field_errors
from chalicelib.core.version import MAJOR_VERSION

RETRY_AFTER_S = 2


_PROBLEM = {"Content-Type": "application/problem+json"}

_STATUS_OF: Mapping[type[errors.RetraceError], HTTPStatus] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TryAgain: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RetraceError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status_of(error: errors.RetraceError) -> HTTPStatus:
    """The status of an error's problem."""
    return next(_STATUS_OF[kind] for kind in type(error).__mro__ if kind in _STATUS_OF)


def problem(error: errors.RetraceError, more: Mapping[str, Any] | None = None) -> Response:
    """An error, and more members than every problem has."""
    status = status_of(error)
    faults = error.faults if isinstance(error, errors.PermanentError) else ()
    members = {"errors": field_errors(faults)}
    return as_problem(status, str(error), {**members, **(more or {})}, _headers(status, error))


def _headers(status: HTTPStatus, error: errors.RetraceError) -> Mapping[str, str]:
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": error.scheme}
    return {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def as_problem(
    status: HTTPStatus, detail: str, members: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem with these members, which replace its own of the same name."""
    own = {
        "type": problem_type(status),
        "title": TITLES[status],
        "status": status.value,
        "detail": detail.encode("utf-8", "replace").decode(),  # it may quote a path with a lone surrogate
    }
    return answer({**own, **members}, status, {**_PROBLEM, **(headers or {})})


def answer(
    body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """The response 200 with an answer."""
    return _json_answer(_json(body), status, headers)


def _json(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _json_answer(text: str, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    own = {"Content-Type": "application/json", "Retrace-Version": MAJOR_VERSION}
    return Response(text, {**own, **(headers or {})}, status)


def answer_with_texts(body: Mapping[str, Any], member: str, texts: Sequence[str | None]) -> Response:
    """A list whose items end with a JSON text each, as it is: what reads and writes it would change 1.10 to 1.1."""
    items = (_with_text(item, member, text) for item, text in zip(body["items"], texts, strict=True))
    list_of_none = _json({**body, "items": []})
    return _json_answer(list_of_none.replace("[]", f"[{','.join(items)}]", 1))


def exact_answer(body: Mapping[str, Any]) -> Response:
    """An answer in which numbers are as they were written."""
    return _json_answer(_exact(body))


def _exact(value: Any) -> str:
    match value:
        case Number():
            return value.literal
        case dict():
            return "{" + ",".join(f"{_json(name)}:{_exact(member)}" for name, member in value.items()) + "}"
        case list():
            return f"[{','.join(map(_exact, value))}]"
        case _:
            return _json(value)


def _with_text(item: Mapping[str, Any], member: str, text: str | None) -> str:
    written = _json(item)
    return written if text is None else f'{written[:-1]},"{member}":{text}}}'


def csv_answer(text: str, cursor: str | None) -> Response:
    """A page of a list as CSV."""
    more = {} if cursor is None else {CURSOR_HEADER: cursor}
    return _json_answer(text, headers={"Content-Type": f"{CSV}; charset=utf-8", **more})


def accepted(body: Mapping[str, Any]) -> Response:
    """The response 202 with the state of what was started."""
    return answer(body, HTTPStatus.ACCEPTED)


def monitor_answer(body: Mapping[str, Any], *, good: bool) -> Response:
    """What was asked for, with a status that a monitor understands without reading it."""
    if good:
        return answer(body)
    detail = "There is no event as new as asked for."
    return as_problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"errors": [], **body})


def raw_answer(event: bytes, content_sha256: str) -> Response:
    """An event's own text, as it was sent."""
    return _json_answer(event.decode(), headers={"X-Content-Sha256": content_sha256})
