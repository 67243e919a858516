"""Queries and items of quarantine, and the records of retries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.core.errors import Fault
from chalicelib.core.fields import DayText, EndTime, IdempotencyKey, Limit, Source, Time, TrueOrFalse, WrongField
from chalicelib.core.timestamps import Day, Instant, Window, parse_day, window_of
from chalicelib.events.arrivals import Status
from chalicelib.events.index_pages import days_of
from chalicelib.ingest.rejection import Rejection, RejectionStatus
from chalicelib.ingest.report import IngestReport
from chalicelib.ingest.request import IngestRequest
from chalicelib.quarantine.contents import Contents, contents_of

_ID = re.compile(r"(\d{4}-\d{2}-\d{2})\.[0-9a-f]{64}", re.ASCII)


def is_rejected_id(text: str) -> bool:
    """Whether something can be in quarantine under this id."""
    match = _ID.fullmatch(text)
    try:
        return match is not None and bool(parse_day(match[1]))
    except ValueError:
        return False


_BEGINNING = re.compile(r"(\d{4}-\d{2}-\d{2})\.[0-9a-f]{6,64}", re.ASCII)


def is_beginning_of_rejected_id(text: str) -> bool:
    """Whether an id in quarantine can begin so: with a day and at least six digits."""
    return _BEGINNING.fullmatch(text) is not None and is_rejected_id(f"{text:0<75}")


def before_rejections_of(day: Day) -> str:
    """An id before those of a day's refused events."""
    return f"{day}.{'0' * 64}"


MAX_DAYS = 31


class RejectedQuery(BaseModel):
    """GET /rejected: what was refused in a window; `reason` is a status, or a field that was found at fault.

    With `source`, `idempotency_key` (of a CloudEvent, its `id`) asks for the event that they identify.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    day: DayText | None = None
    start_time: Time | None = None
    end_time: EndTime | None = None
    reason: Annotated[str, Field(min_length=1)] | None = None
    source: Source | None = None
    idempotency_key: IdempotencyKey | None = None
    resolved: TrueOrFalse | None = None
    limit: Limit = 100
    cursor: str | None = None

    @model_validator(mode="after")
    def _identifies_an_event(self) -> RejectedQuery:
        if self.idempotency_key is not None and self.source is None:
            raise WrongField("source", "is missing; a source and a key together identify an event")
        return self

    @model_validator(mode="after")
    def _is_bounded(self) -> RejectedQuery:
        if self.day is not None:
            if self.start_time is not None or self.end_time is not None:
                raise WrongField("day", "cannot be combined with start_time or end_time")
            return self
        if self.start_time is None or self.end_time is None:
            raise WrongField("day", "is missing; give a day, or start_time and end_time")
        if self.start_time >= self.end_time:
            raise WrongField("start_time", "must lie before end_time, which is excluded")
        if any(islice(days_of(self.window), MAX_DAYS, None)):
            raise WrongField("end_time", f"a window touches at most {MAX_DAYS} days")
        return self

    @property
    def window(self) -> Window:
        """The time of receipt that is asked about."""
        if self.day is not None:
            return window_of(Day(self.day))
        return Window(Instant(self.start_time or ""), Instant(self.end_time or ""))

    @property
    def days(self) -> list[Day]:
        """The days that the window touches."""
        return list(days_of(self.window))


@dataclass(frozen=True, slots=True)
class Listed:
    """A refused event without its body: `size` is the body's, in bytes."""

    rejected_id: str
    status: RejectionStatus
    faults: tuple[Fault, ...]
    ingest_time: Instant
    request_id: str
    size: int
    contents: Contents
    retried: bool
    resolved: bool = False

    def after(self, retries: Iterable[Retry]) -> Listed:
        """The same, resolved if its retries took its events in."""
        return replace(self, resolved=is_resolved(self.contents, retries))

    def is_found_by(self, query: RejectedQuery) -> bool:
        """Whether it is what a query asks for, of those that its days have."""
        return (
            query.window.start <= self.ingest_time < query.window.end
            and (query.source is None or query.source in self.contents.values["source"])
            and (query.idempotency_key is None or self.contents.name(query.source or "", query.idempotency_key))
            and (query.resolved is None or query.resolved is self.resolved)
            and self.is_for(query.reason)
        )

    def is_for(self, reason: str | None) -> bool:
        """Whether this is why the event was refused: its status, or a field at fault or something inside that field."""
        if reason is None or reason == self.status:
            return True
        inside = (f"{reason}.", f"{reason}[")
        return any(fault.field == reason or fault.field.startswith(inside) for fault in self.faults)


def listed(rejected: Rejection, *, retried: bool) -> Listed:
    """A refused event as lists show it before its retries are read."""
    return Listed(
        rejected_id=rejected.rejected_id,
        status=rejected.status,
        faults=rejected.faults,
        ingest_time=rejected.ingest_time,
        request_id=rejected.request_id,
        size=len(rejected.body),
        contents=contents_of(rejected),
        retried=retried,
    )


@dataclass(frozen=True, slots=True)
class RejectionsPage:
    """Refused events in a fixed order, and the id up to which quarantine was read, None if to the end of the day."""

    items: tuple[Listed, ...]
    read_to: str | None


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


def is_resolved(contents: Contents, retries: Iterable[Retry]) -> bool:
    """Whether retries took in as many different events as were refused together."""
    results = (result for retry in retries for result in retry.results)
    return len({result.event_id for result in results if result.status in _TAKEN_IN}) >= contents.events


_TAKEN_IN = (Status.ACCEPTED, Status.DUPLICATE)


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
