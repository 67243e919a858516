"""The console as a web application: what guards it, its page, the API behind it, and pictures of many events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chalicelib.core.timestamps import parse_day
from retrace import checkup
from retrace.client import Client
from retrace.console.admission import HEADER, AccessPolicy, AccessRequest, Kind
from retrace.console.forwarding import Forwarding, is_passed_on, problem_response, response_to
from retrace.console.gathering import LATE_MS, PictureReader, Wanted, wanted
from retrace.console.overview import metrics_of, sources_of
from retrace.exporting.events import fault_of
from retrace.output import indented
from retrace.problem import Exit, Problem

STATIC = Path(__file__).parent / "static"


def require_libraries(static: Path = STATIC) -> None:
    """Raise Problem if the page was installed without its libraries, as from a bare checkout."""
    if not (static / "vendor/fetched").is_file():
        what = "This installation does not contain uPlot and lit-html, which the page uses."
        remedy = "Install the wheel of a release, or run `make page` in the checkout and install from there again."
        raise Problem(what, remedy, Exit.USAGE)


HEADERS = {
    # Text of events is never markup: the page sets text, and the browser refuses anything else.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
DATA = ("/api/", "/console/")
"""Where data are; everything else is the page."""


class Guard:
    """In front of the application."""

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = self._refused(request) or self._app

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({"Cache-Control": "no-store", **HEADERS})
            await send(message)

        await answer(scope, receive, with_headers)

    def _refused(self, request: Request) -> Response | None:
        denial = self._policy.denial(access_request_of(request))
        if denial is None:
            return None
        return JSONResponse({"title": "Refused", "detail": denial.why}, denial.status)


def access_request_of(request: Request) -> AccessRequest:
    """What decides who may ask, out of a request."""
    headers = request.headers
    return AccessRequest(
        kind=Kind.DATA if request.url.path.startswith(DATA) else Kind.PAGE,
        method=request.method,
        host=headers.get("host"),
        origin=headers.get("origin"),
        fetch_site=headers.get("sec-fetch-site"),
        token=headers.get(HEADER),
    )


class ConsoleRoutes:
    """The routes at /console/."""

    def __init__(self, client: Client, reader: PictureReader) -> None:
        self._client = client
        self._reader = reader

    async def about(self, _: Request) -> Response:
        """Which deployment the page shows."""
        target = self._client.target
        return JSONResponse(
            {
                "url": target.url,
                "found_in": target.found_in,
                "is_local": target.is_local,
                "region": target.signing_region,
            }
        )

    async def pictures(self, request: Request) -> Response:
        """Events in a window as a picture: a line of JSON for each that is better than the one before."""
        try:
            asked = wanted(request.query_params, await run_in_threadpool(self._late_ms))
        except ValueError as error:
            return problem_response(HTTPStatus.BAD_REQUEST, str(error), "Correct the window, or go back.")
        return StreamingResponse(self._lines(asked), media_type="application/x-ndjson")

    def _late_ms(self) -> int:
        """From which lag on the deployment lists an event as late, where the stack or the profile says so."""
        try:
            said = self._client.target.known("late_after_seconds")
        except Problem:
            said = None
        return LATE_MS if said is None else int(said) * 1_000

    def _lines(self, asked: Wanted) -> Iterator[str]:
        for picture in self._reader.pictures(asked):
            yield json.dumps(picture, separators=(",", ":")) + "\n"

    async def event(self, request: Request) -> Response:
        """An event: what is known of it, and its own text, laid out, and its hash computed anew."""
        return await run_in_threadpool(self._event, request.path_params["event_id"])

    def _event(self, event_id: str) -> Response:
        if not is_passed_on("GET", f"/events/{event_id}"):
            return problem_response(HTTPStatus.NOT_FOUND, "This is not an event id.")
        try:
            answer = self._client.call("GET", f"/events/{event_id}")
            if answer.status != HTTPStatus.OK:
                return Response(answer.body, answer.status, media_type="application/problem+json")
            known = answer.json
            sent = self._client.call("GET", f"/events/{event_id}/raw")
        except Problem as problem:
            return response_to(problem)
        if sent.status != HTTPStatus.OK:
            why = sent.json.get("detail") if sent.has("detail") else f"The API answered {sent.status}."
            return JSONResponse({"event": known, "raw": None, "laid_out": None, "fault": why})
        raw = sent.body.decode(errors="replace")
        # Laid out here and not by the browser, which would round its numbers.
        return JSONResponse(
            {"event": known, "raw": raw, "laid_out": indented(raw), "fault": fault_of(known, sent.body)}
        )

    async def nothing(self, _: Request) -> Response:
        """Whatever else is asked for there."""
        return problem_response(HTTPStatus.NOT_FOUND, "The console has no such page.")

    async def sources(self, _: Request) -> Response:
        """Sources and types, as far as the caller may find them."""
        return JSONResponse(await run_in_threadpool(sources_of, self._client))

    async def queues(self, _: Request) -> Response:
        """How the queues stand, as `retrace doctor` sees them."""
        return JSONResponse(await run_in_threadpool(self._queues))

    def _queues(self) -> dict[str, list[dict[str, str]]]:
        found = checkup.queues(self._client.target)
        items = [{"queue": one.check, "level": one.level, "said": one.said, "remedy": one.remedy} for one in found]
        return {"items": items}

    async def metrics(self, request: Request) -> Response:
        """What CloudWatch counted on a day, for who may ask it."""
        try:
            day = parse_day(request.query_params.get("day", ""))
        except ValueError as error:
            return problem_response(HTTPStatus.BAD_REQUEST, f"day {error}", "Give a day such as 2025-11-28.")
        return JSONResponse(await run_in_threadpool(metrics_of, self._client.target, day))


def application(client: Client, policy: AccessPolicy, clock: Callable[[], datetime]) -> Starlette:
    """The whole console."""
    console = ConsoleRoutes(client, PictureReader(client, clock))
    routes = [
        Route("/api/{path:path}", Forwarding(client).answer, methods=["GET", "POST"]),
        Route("/console/about", console.about),
        Route("/console/pictures", console.pictures),
        Route("/console/events/{event_id}", console.event),
        Route("/console/sources", console.sources),
        Route("/console/queues", console.queues),
        Route("/console/metrics", console.metrics),
        Route("/console/{rest:path}", console.nothing),
        Mount("/static", StaticFiles(directory=STATIC)),
        # Whatever else is a view of the page, which finds out which one.
        Route("/{view:path}", _page),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, policy=policy)])


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")
