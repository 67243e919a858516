"""Wraps every function: sets its deadline, admits requests, and turns errors into problems."""

from __future__ import annotations

import functools
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ParamSpec, TypeAlias

from chalice.app import Request, Response

from chalicelib import api
from chalicelib.api.responses import problem, status_of
from chalicelib.core.errors import RetraceError
from chalicelib.runtime import deadline, telemetry

P = ParamSpec("P")

View: TypeAlias = Callable[..., Response]
"""Answers a request on a route, whose parameters it gets."""

SHORTEST_MS = 10_000
"""Every deployed function begins with more: .chalice/config.json has their timeouts."""


def with_deadline(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Chalice middleware: of what an invocation does, nothing begins that could outlast the function.

    Chalice's test client reports three seconds left to every function, but never stops it: that is not a deadline.
    """
    context: Any = event.lambda_context if isinstance(event, Request) else event.context
    if context.get_remaining_time_in_millis() < SHORTEST_MS:
        return get_response(event)
    with deadline.lasting(context.get_remaining_time_in_millis):
        return get_response(event)


def as_problem_response(view: Callable[P, Response]) -> Callable[P, Response]:
    """Turn Retrace's errors into problems. `route` puts it beneath Chalice's, which would answer a bare 500."""

    @functools.wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except RetraceError as error:
            if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                telemetry.request_failed(error)
            return problem(error)
        except Exception:  # noqa: BLE001  # logged whole, and answered like every other problem
            # Chalice would answer in a form of its own; what went wrong is for the log, not for the caller.
            telemetry.logger.exception("request failed unexpectedly")
            return problem(RetraceError("Something went wrong in Retrace."))

    return answered


@as_problem_response
def only_admitted(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Chalice middleware in front of every route: go on only with what is signed."""
    api.requests.admit(request)
    return get_response(request)
