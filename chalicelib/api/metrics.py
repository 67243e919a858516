"""The routes about metrics."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.api import requests
from chalicelib.api.responses import answer, csv_answer, exact_answer
from chalicelib.core.schemas import CSV
from chalicelib.metrics import responses
from chalicelib.metrics.queries import MetricsQuery, definition_in
from chalicelib.runtime import query_wiring, replay_wiring
from chalicelib.totals import responses as values_of
from chalicelib.totals.queries import ValuesQuery


def metrics(request: Request) -> Response:
    """GET /metrics."""
    query = requests.parameters(request, MetricsQuery)
    return exact_answer(responses.metrics(replay_wiring.find_metrics().find(query)))


def metric(name: str) -> Response:
    """GET /metrics/{name}."""
    return exact_answer(responses.metric(replay_wiring.find_metrics().get(name)))


def values(request: Request, name: str) -> Response:
    """GET /metrics/{name}/values, as JSON or as CSV."""
    query = requests.parameters(request, ValuesQuery)
    found = values_of.values(query_wiring.find_values().find(name, query))
    if request.headers.get("Accept", "").partition(";")[0].strip().lower() == CSV:
        return csv_answer(values_of.as_csv(found), found["cursor"])
    return answer(found)


def define(request: Request, name: str) -> Response:
    """PUT /metrics/{name}."""
    requests.refuse_parameters(request)
    definition = definition_in(requests.body_of(request), name)
    done = replay_wiring.define_metrics().define(definition, requests.caller(request))
    return exact_answer(responses.defined(done))


def retire(request: Request, name: str) -> Response:
    """DELETE /metrics/{name}."""
    requests.refuse_body(request)
    return exact_answer(responses.defined(replay_wiring.define_metrics().retire(name, requests.caller(request))))
