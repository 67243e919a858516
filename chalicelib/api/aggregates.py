"""The routes about daily aggregates."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.aggregates import responses
from chalicelib.aggregates.queries import DiffQuery, InputsQuery, VersionsQuery
from chalicelib.api.requests import parameters
from chalicelib.api.responses import answer
from chalicelib.runtime import query_wiring


def aggregates(request: Request) -> Response:
    """GET /aggregates."""
    query = parameters(request, VersionsQuery)
    found = query_wiring.investigate_aggregates().investigate(query)
    return answer(responses.daily_aggregates(found))


def inputs(request: Request) -> Response:
    """GET /aggregates/inputs."""
    query = parameters(request, InputsQuery)
    found = query_wiring.trace_versions().inputs(query)
    return answer(responses.inputs(found))


def difference(request: Request) -> Response:
    """GET /aggregates/diff."""
    query = parameters(request, DiffQuery)
    found = query_wiring.trace_versions().difference(query)
    return answer(responses.difference(query, found))
