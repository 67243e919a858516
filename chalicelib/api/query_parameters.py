"""What the routes may be asked; a model is imported with the first request that is held against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chalice.app import Request

from chalicelib.core.errors import Fault, InvalidRequest, first_faults, shown_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from chalicelib.aggregates.queries import DiffQuery, InputsQuery, VersionsQuery
    from chalicelib.quarantine.retries import RejectedQuery
    from chalicelib.replays.queries import ReplaysQuery
    from chalicelib.search.queries import EventsQuery, FreshnessQuery, GapsQuery, IngestQuery, LateQuery

Q = TypeVar("Q", bound="BaseModel")


def nothing(request: Request) -> None:
    """For a route without parameters: raises InvalidRequest if there are any."""
    from chalicelib.search.queries import NoParameters

    _parameters(request, NoParameters)


def ingest(request: Request) -> IngestQuery:
    """POST /ingest."""
    from chalicelib.search.queries import IngestQuery

    return _parameters(request, IngestQuery)


def events(request: Request) -> EventsQuery:
    """GET /events."""
    from chalicelib.search.queries import EventsQuery

    return _parameters(request, EventsQuery)


def late(request: Request) -> LateQuery:
    """GET /late."""
    from chalicelib.search.queries import LateQuery

    return _parameters(request, LateQuery)


def gaps(request: Request) -> GapsQuery:
    """GET /gaps."""
    from chalicelib.search.queries import GapsQuery

    return _parameters(request, GapsQuery)


def freshness(request: Request) -> FreshnessQuery:
    """GET /freshness."""
    from chalicelib.search.queries import FreshnessQuery

    return _parameters(request, FreshnessQuery)


def replays(request: Request) -> ReplaysQuery:
    """GET /replay."""
    from chalicelib.replays.queries import ReplaysQuery

    return _parameters(request, ReplaysQuery)


def aggregates(request: Request) -> VersionsQuery:
    """GET /aggregates."""
    from chalicelib.aggregates.queries import VersionsQuery

    return _parameters(request, VersionsQuery)


def inputs(request: Request) -> InputsQuery:
    """GET /aggregates/inputs."""
    from chalicelib.aggregates.queries import InputsQuery

    return _parameters(request, InputsQuery)


def diff(request: Request) -> DiffQuery:
    """GET /aggregates/diff."""
    from chalicelib.aggregates.queries import DiffQuery

    return _parameters(request, DiffQuery)


def rejected(request: Request) -> RejectedQuery:
    """GET /rejected."""
    from chalicelib.quarantine.retries import RejectedQuery

    return _parameters(request, RejectedQuery)


def _parameters(request: Request, model: type[Q]) -> Q:
    """The query parameters of a request; raises InvalidRequest with every fault."""
    from pydantic import ValidationError

    from chalicelib.core.fields import faults_of

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
