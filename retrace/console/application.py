"""The console as a web application: its page, the API behind it, and what is drawn of many events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from retrace.client import Client
from retrace.console.admission import Door
from retrace.console.forwarding import Forwarding
from retrace.console.gathering import Gathering
from retrace.console.guard import Guard
from retrace.console.looking import Looking
from retrace.console.page import STATIC


def application(client: Client, door: Door, clock: Callable[[], datetime]) -> Starlette:
    """The whole console."""
    looking = Looking(client, Gathering(client, clock))
    routes = [
        Route("/api/{path:path}", Forwarding(client).answer, methods=["GET", "POST"]),
        Route("/console/about", looking.about),
        Route("/console/pictures", looking.pictures),
        Route("/console/events/{event_id}", looking.event),
        Route("/console/sources", looking.sources),
        Route("/console/queues", looking.queues),
        Route("/console/metrics", looking.metrics),
        Route("/console/{rest:path}", looking.nothing),
        Mount("/static", StaticFiles(directory=STATIC)),
        # Whatever else is a view of the page, which finds out which one.
        Route("/{view:path}", _page),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, door=door)])


async def _page(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")
