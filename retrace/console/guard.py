"""The middleware that every request passes: who may not ask is refused, and every answer says what a page may do."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrace.console.admission import HEADER, Asking, Door, Kind

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

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

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
        refusal = self._door.refusal(asking(request))
        if refusal is None:
            return None
        return JSONResponse({"title": "Refused", "detail": refusal.why}, refusal.status)


def asking(request: Request) -> Asking:
    """What decides who may ask, out of a request."""
    headers = request.headers
    return Asking(
        kind=Kind.DATA if request.url.path.startswith(DATA) else Kind.PAGE,
        method=request.method,
        host=headers.get("host"),
        origin=headers.get("origin"),
        fetch_site=headers.get("sec-fetch-site"),
        token=headers.get(HEADER),
    )
