"""The console as a web application: its guard, its page, the API behind it, and pictures of many events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrace.client import Client
from retrace.console.admission import HEADER, AccessPolicy, AccessRequest, Kind
from retrace.console.forwarding import Forwarding
from retrace.console.routes import ConsoleRoutes
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
    """The parts of a request that decide whether it is admitted."""
    headers = request.headers
    return AccessRequest(
        kind=Kind.DATA if request.url.path.startswith(DATA) else Kind.PAGE,
        method=request.method,
        host=headers.get("host"),
        origin=headers.get("origin"),
        fetch_site=headers.get("sec-fetch-site"),
        token=headers.get(HEADER),
    )


def application(client: Client, policy: AccessPolicy, clock: Callable[[], datetime]) -> Starlette:
    """The whole console."""
    console = ConsoleRoutes(client, clock)
    routes = [
        Route("/api/{path:path}", Forwarding(client).answer, methods=["GET", "POST"]),
        Route("/console/about", console.about),
        Route("/console/pictures", console.pictures),
        Route("/console/events/{event_id}", console.event),
        Route("/console/counts", console.counts),
        Route("/console/rows", console.rows),
        Route("/console/search", console.search),
        Route("/console/corrections", console.corrections),
        Route("/console/retries", console.retries, methods=["POST"]),
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
