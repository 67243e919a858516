"""Looking into quarantine: what may be asked, what is listed, and how a retry is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.core.errors import Fault
from chalicelib.core.fields import DayText, IdempotencyKey, Limit, Source, WrongField
from chalicelib.core.timestamps import Instant, parse_day
from chalicelib.events.arrivals import Status
from chalicelib.ingest.rejection import Rejection, RejectionStatus
from chalicelib.ingest.report import IngestReport
from chalicelib.ingest.request import IngestRequest
from chalicelib.quarantine.named_events import names

_ID = re.compile(r"(\d{4}-\d{2}-\d{2})\.[0-9a-f]{64}", re.ASCII)


def is_rejected_id(text: str) -> bool:
    """Whether something can be in quarantine under this id."""
    match = _ID.fullmatch(text)
    try:
        return match is not None and bool(parse_day(match[1]))
    except ValueError:
        return False


class RejectedQuery(BaseModel):
    """GET /rejected: what was refused on a day; `reason` is a status, or a field that was found at fault.

    With `source`, `idempotency_key` (of a CloudEvent, its `id`) asks for the event that they identify.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    day: DayText
    reason: Annotated[str, Field(min_length=1)] | None = None
    source: Source | None = None
    idempotency_key: IdempotencyKey | None = None
    limit: Limit = 100
    cursor: str | None = None

    @model_validator(mode="after")
    def _identifies_an_event(self) -> RejectedQuery:
        missing = "idempotency_key" if self.idempotency_key is None else "source"
        if (self.source is None) != (self.idempotency_key is None):
            raise WrongField(missing, "is missing; a source and a key together identify an event")
        return self

    def wants(self, rejected: Rejection) -> bool:
        """Whether a refused event is the one that is asked for, if one is."""
        return self.idempotency_key is None or names(rejected, self.source or "", self.idempotency_key)


@dataclass(frozen=True, slots=True)
class Listed:
    """A refused event without its body: `size` is the body's, in bytes."""

    rejected_id: str
    status: RejectionStatus
    faults: tuple[Fault, ...]
    ingest_time: Instant
    request_id: str
    size: int
    retried: bool

    def is_for(self, reason: str | None) -> bool:
        """Whether this is why the event was refused: its status, or a field at fault or something inside that field."""
        if reason is None or reason == self.status:
            return True
        inside = (f"{reason}.", f"{reason}[")
        return any(fault.field == reason or fault.field.startswith(inside) for fault in self.faults)


def listed(rejected: Rejection, *, retried: bool) -> Listed:
    """A refused event as lists show it."""
    return Listed(
        rejected_id=rejected.rejected_id,
        status=rejected.status,
        faults=rejected.faults,
        ingest_time=rejected.ingest_time,
        request_id=rejected.request_id,
        size=len(rejected.body),
        retried=retried,
    )


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """Who wants a refused event sent through ingest again, in which request; as it was kept if nothing is corrected."""

    requested_by: str
    request_id: str
    corrected: IngestRequest | None


@dataclass(frozen=True, slots=True)
class RetryResult:
    """What became of one event of a retry; `rejected_id` is where it is kept if it was refused again."""

    status: Status
    event_id: str | None
    rejected_id: str | None


@dataclass(frozen=True, slots=True)
class Retry:
    """The record of a retry."""

    rejected_id: str
    requested_at: Instant
    requested_by: str
    request_id: str
    corrected: bool
    results: tuple[RetryResult, ...]

    def to_json(self) -> bytes:
        """The object that is kept beside the refused event."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()


def retry_of(rejected_id: str, asked: RetryRequest, requested_at: Instant, report: IngestReport) -> Retry:
    """The record of what a retry brought."""
    results = tuple(
        RetryResult(result.status, None if result.stored is None else result.stored.event_id, result.rejected_id)
        for result in report.results
    )
    corrected = asked.corrected is not None
    return Retry(rejected_id, requested_at, asked.requested_by, asked.request_id, corrected, results)


def parse_retry(kept: bytes) -> Retry:
    """The record that `to_json` wrote."""
    members = json.loads(kept)
    return Retry(**members | {"results": tuple(map(_result, members["results"]))})


def _result(members: Mapping[str, Any]) -> RetryResult:
    return RetryResult(Status(members["status"]), members["event_id"], members["rejected_id"])
