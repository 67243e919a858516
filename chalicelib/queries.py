"""What the routes may be asked; a model is imported with the first request that is held against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chalice.app import Request

from chalicelib.domain.errors import Fault, InvalidRequest, first_faults, shown_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from chalicelib.domain.aggregate_query import DiffQuery, InputsQuery, VersionsQuery
    from chalicelib.domain.event_query import EventsQuery, FreshnessQuery, GapsQuery, IngestQuery, LateQuery
    from chalicelib.domain.rejections import RejectedQuery
    from chalicelib.domain.replay_query import ReplaysQuery

Q = TypeVar("Q", bound="BaseModel")


def nothing(request: Request) -> None:
    """For a route without parameters: raises InvalidRequest if there are any."""
    from chalicelib.domain.event_query import NoParameters

    _parameters(request, NoParameters)


def ingest(request: Request) -> IngestQuery:
    """POST /ingest."""
    from chalicelib.domain.event_query import IngestQuery

    return _parameters(request, IngestQuery)


def events(request: Request) -> EventsQuery:
    """GET /events."""
    from chalicelib.domain.event_query import EventsQuery

    return _parameters(request, EventsQuery)


def late(request: Request) -> LateQuery:
    """GET /late."""
    from chalicelib.domain.event_query import LateQuery

    return _parameters(request, LateQuery)


def gaps(request: Request) -> GapsQuery:
    """GET /gaps."""
    from chalicelib.domain.event_query import GapsQuery

    return _parameters(request, GapsQuery)


def freshness(request: Request) -> FreshnessQuery:
    """GET /freshness."""
    from chalicelib.domain.event_query import FreshnessQuery

    return _parameters(request, FreshnessQuery)


def replays(request: Request) -> ReplaysQuery:
    """GET /replay."""
    from chalicelib.domain.replay_query import ReplaysQuery

    return _parameters(request, ReplaysQuery)


def aggregates(request: Request) -> VersionsQuery:
    """GET /aggregates."""
    from chalicelib.domain.aggregate_query import VersionsQuery

    return _parameters(request, VersionsQuery)


def inputs(request: Request) -> InputsQuery:
    """GET /aggregates/inputs."""
    from chalicelib.domain.aggregate_query import InputsQuery

    return _parameters(request, InputsQuery)


def diff(request: Request) -> DiffQuery:
    """GET /aggregates/diff."""
    from chalicelib.domain.aggregate_query import DiffQuery

    return _parameters(request, DiffQuery)


def rejected(request: Request) -> RejectedQuery:
    """GET /rejected."""
    from chalicelib.domain.rejections import RejectedQuery

    return _parameters(request, RejectedQuery)


def _parameters(request: Request, model: type[Q]) -> Q:
    """The query parameters of a request; raises InvalidRequest with every fault."""
    from pydantic import ValidationError

    from chalicelib.domain.fields import faults_of

    try:
        return model.model_validate(_given(request))
    except ValidationError as error:
        raise InvalidRequest("The query is not valid.", faults_of(error)) from error


def _given(request: Request) -> dict[str, str]:
    given = request.query_params
    if given is None:
        return {}
    repeated = [name for name in given if len(given.getlist(name)) > 1]
    if repeated:
        faults = first_faults(Fault(shown_name(name), "is given more than once") for name in repeated)
        raise InvalidRequest("Each parameter is given once.", faults)
    return dict(given)
