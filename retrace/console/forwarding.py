"""Passes requests on to the API, signed: only those that the API documents and the page needs."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chalicelib.api.operations import OPERATIONS
from chalicelib.core.errors import TITLES
from chalicelib.ingest.request import MAX_BYTES
from retrace.client import Client
from retrace.problem import Problem

NOT_PASSED_ON = {("POST", "/ingest")}
"""What no view needs: the console looks, replays and retries; it takes no new events in."""

LONGEST_BODY = MAX_BYTES + 500_000
"""A little more than the API takes, so that the API says so."""

_NAME = r"(?!\.+(?:/|$))[A-Za-z0-9._-]+"
"""What ids are made of; no segment of dots, which would mean another route."""

_PASSED_TO = ("content-type", "idempotency-key")
_PASSED_BACK = ("content-type", "x-content-sha256", "retry-after")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("".join(_NAME if part.startswith("{") else re.escape(part) for part in re.split("({.*?})", path)))


ROUTES = [(method, _pattern(path)) for method, path in OPERATIONS if (method, path) not in NOT_PASSED_ON]


def is_passed_on(method: str, path: str) -> bool:
    """Whether it is a route of the API that the console may ask."""
    return any(method == one and pattern.fullmatch(path) for one, pattern in ROUTES)


class Forwarding:
    """The API, at /api/ of the console."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def answer(self, request: Request) -> Response:
        """Ask the API, and answer what it answers."""
        path = "/" + request.path_params["path"]
        if not is_passed_on(request.method, path):
            return problem_response(HTTPStatus.NOT_FOUND, "The console does not forward this request to the API.")
        body = await bounded(request)
        if body is None:
            return problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The API takes {MAX_BYTES:,} bytes at most.")
        if _begins_replay(request.method, path) and "idempotency-key" not in request.headers:
            # The client sends again what got no answer, and without a key that could be a second replay.
            return problem_response(HTTPStatus.BAD_REQUEST, "A replay needs an Idempotency-Key.")
        headers = {name: request.headers[name] for name in _PASSED_TO if name in request.headers}
        return await run_in_threadpool(self._passed_on, request.method, path, dict(request.query_params), body, headers)

    def _passed_on(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> Response:
        try:
            answer = self._client.call(method, path, query=query, body=body, headers=headers)
        except Problem as problem:
            return response_to(problem)
        kept = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        return Response(answer.body, answer.status, kept)


async def bounded(request: Request) -> bytes | None:
    """The body, however long it says it is; None if it is too long."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            return None
    return body


def _begins_replay(method: str, path: str) -> bool:
    return (method, path) == ("POST", "/replay")


def problem_response(status: HTTPStatus, detail: str, remedy: str = "") -> Response:
    """A problem of the console's own, in the form that the API tells them."""
    body = {"title": TITLES[status], "status": status, "detail": detail, "remedy": remedy, "errors": []}
    return JSONResponse(body, status, media_type="application/problem+json")


def response_to(problem: Problem) -> Response:
    """What stopped a request on its way, with the remedy that the command line would tell."""
    return problem_response(HTTPStatus.BAD_GATEWAY, problem.what, problem.remedy)
