"""The console as a web application, with its guard, page and routes, served on the loopback only, until Ctrl-C."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import uvicorn
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


LOOPBACK = "127.0.0.1"
CONNECTIONS = 6
"""A browser asks for six things at once; each more would want a function of its own."""
_SHUTDOWN_S = 1
_LISTENS_TO_CTRL_C_S = 1
"""On Windows, Ctrl-C does not interrupt waiting for a thread."""
_LOG = logging.getLogger("uvicorn.error")


class Console:
    """A console that listens, and can be asked for once `serve` is called."""

    def __init__(self, client: Client, port: int, clock: Callable[[], datetime]) -> None:
        self.client = client
        self._socket = _listening(port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(32)
        policy = AccessPolicy((f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"), self.token)
        config = uvicorn.Config(
            application(client, policy, clock),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._server = _Quiet(config)
        self._answering = Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.port}/"

    def link(self, view: str = "") -> str:
        """The address that lets a browser in. What stands behind `#` is sent to no server, and to no next page."""
        # A colleague's address is a view too.
        view = urlsplit(view)._replace(scheme="", netloc="", fragment="").geturl()
        return f"{self.url}{view.lstrip('/')}#token={self.token}"

    def serve(self) -> None:
        """Answer until Ctrl-C or `stop`. Then calls of the API get a moment to end."""
        _LOG.setLevel(logging.ERROR)
        self._answering.start()
        try:
            while self._answering.is_alive():
                self._answering.join(_LISTENS_TO_CTRL_C_S)
        finally:
            self.stop()
            self._answering.join(2 * _SHUTDOWN_S)

    def stop(self) -> None:
        """End what `serve` does in another thread."""
        self._server.should_exit = True


class _Quiet(uvicorn.Server):
    """A server that ends without a message, even if a browser still waits for an answer."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _LOG.setLevel(logging.CRITICAL + 1)
        await super().shutdown(sockets)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows it would let two processes listen on one port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        remedy = "Stop a console that is running, or use another port: retrace console --port 0"
        raise Problem(f"Port {port} of {LOOPBACK} cannot be opened: {error.strerror}.", remedy, Exit.USAGE) from error
    listening.listen(128)
    return listening
