"""The route that lists sources and types."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.api.requests import parameters
from chalicelib.api.responses import answer
from chalicelib.runtime import query_wiring
from chalicelib.sources import responses
from chalicelib.sources.queries import SourcesQuery


def sources(request: Request) -> Response:
    """GET /sources."""
    query = parameters(request, SourcesQuery)
    return answer(responses.sources(query_wiring.list_sources().page(query)))
