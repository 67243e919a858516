"""Rejections: refused events with the reasons, and which of them share an object of quarantine."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from math import ceil
from typing import Any, TypedDict

from chalicelib.core.errors import Fault, IntegrityFailure, first_faults
from chalicelib.core.pagination import chunked
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.events.event import Form
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.request import BATCH, NDJSON


class RejectionStatus(StrEnum):
    """Why an event was not accepted: it is not valid, or its identity belongs to other content."""

    REJECTED = "REJECTED"
    CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class LineReference:
    """Which raw line, with which content, taken in when."""

    s3_key: str
    s3_offset: int
    content_sha256: str
    ingest_time: Instant

    @classmethod
    def of(cls, event: StoredEvent) -> LineReference:
        """The line of an event."""
        return cls(event.location.key, event.location.offset, event.content_sha256, event.ingest_time)


@dataclass(frozen=True, slots=True)
class Conflict:
    """An identity, the content that was rejected, and the line that had its rows then, which a rebuild goes by."""

    event_id: str
    content_sha256: str
    first: LineReference


@dataclass(frozen=True)
class Rejection:
    """A refused event as quarantine keeps it: all that is needed to send it again, and every reason.

    `headers` are those, beside the content type, without which the body would say something else.
    """

    status: RejectionStatus
    body: bytes
    faults: tuple[Fault, ...]
    ingest_time: Instant
    request_id: str
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()

    @cached_property
    def rejected_id(self) -> str:
        """`<ingest day>.<SHA-256>` of what was sent and how it ended: says where the object is.

        The same bytes may be read in two forms, and be not valid in one and in conflict in the other.
        """
        return f"{day_of(self.ingest_time)}.{sha256(self._sent).hexdigest()}"

    @property
    def _sent(self) -> bytes:
        # A CloudEvent in binary mode is mostly headers: many different ones have the same, or no, body.
        head = [self.status, self.content_type, sorted(self.headers.items())]
        return json.dumps(head, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" + self.body

    def to_json(self) -> bytes:
        """The quarantine object. `body` is text where the bytes are UTF-8, else `body_base64` holds them."""
        kept = {
            "rejected_id": self.rejected_id,
            "status": self.status,
            "errors": [asdict(fault) for fault in self.faults],
            "ingest_time": self.ingest_time,
            "request_id": self.request_id,
            "content_type": self.content_type,
            "headers": dict(self.headers),
            "conflicts": [asdict(conflict) for conflict in self.conflicts],
            **body_members(self.body),
        }
        return json.dumps(kept, ensure_ascii=False).encode()


def parse_rejection(kept: bytes) -> Rejection:
    """The refused event of a quarantine object; raises IntegrityFailure if it is none, or not what it was."""
    try:
        members = json.loads(kept)
        rejected = Rejection(
            status=RejectionStatus(members["status"]),
            body=_body_of(members),
            faults=tuple(Fault(**fault) for fault in members["errors"]),
            ingest_time=Instant(members["ingest_time"]),
            request_id=members["request_id"],
            content_type=members.get("content_type"),
            headers=members.get("headers", {}),
            conflicts=tuple(_conflict(**conflict) for conflict in members["conflicts"]),
        )
        recorded = members["rejected_id"]
    except (ValueError, LookupError, TypeError) as error:
        raise IntegrityFailure("The stored object is not a refused event of Retrace.") from error
    if rejected.rejected_id != recorded:
        raise IntegrityFailure(f"The refused event {recorded} hashes to {rejected.rejected_id}.")
    return rejected


def _conflict(first: Mapping[str, Any], **refused: str) -> Conflict:
    return Conflict(first=LineReference(**first), **refused)


def _body_of(members: Mapping[str, str]) -> bytes:
    if "body" in members:
        return members["body"].encode()
    return base64.b64decode(members["body_base64"], validate=True)


class BodyMembers(TypedDict, total=False):
    """One of the two."""

    body: str
    body_base64: str


def body_members(body: bytes) -> BodyMembers:
    """The members of a body in JSON: text if it is UTF-8, else base64."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


MOST_OBJECTS = 20
"""Of one request and status: two kilobytes of broken lines would otherwise make a thousand objects, kept for ever."""

MOST_EVENTS_TOGETHER = 1_000
"""In one object, of a request with more than 20,000 refused events: a retry's answer can list so many results."""


def objects_of(refused: Iterable[Rejection]) -> dict[str, Rejection]:
    """What keeps each refused event of a request, by the id that the event has alone.

    It depends on the refused events and their order and on nothing else, so the same request finds the same objects.
    """
    kinds: dict[tuple[str, str | None], list[Rejection]] = defaultdict(list)
    for event in {event.rejected_id: event for event in refused}.values():
        kinds[event.status, event.content_type].append(event)
    parts = [part for events in kinds.values() for part in chunked(events, _together_of(len(events)))]
    return {event.rejected_id: kept for part in parts for kept in [_together(part)] for event in part}


def _together_of(count: int) -> int:
    return min(ceil(count / MOST_OBJECTS), MOST_EVENTS_TOGETHER)


def _as_lines(bodies: Iterable[bytes]) -> bytes:
    return b"\n".join(bodies)


def _as_array(bodies: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"


_SEVERAL: Mapping[str | None, tuple[str, Callable[[Iterable[bytes]], bytes]]] = {
    NDJSON: (NDJSON, _as_lines),
    Form.NATIVE: (Form.NATIVE, _as_array),
    Form.CLOUDEVENT: (BATCH, _as_array),
}
"""How several events of a content type are sent in one request. Of any other a request has only one."""


def _together(events: Sequence[Rejection]) -> Rejection:
    if len(events) == 1:
        return events[0]
    content_type, joined = _SEVERAL[events[0].content_type]
    faults = tuple(_counted(events))
    conflicts = tuple(conflict for event in events for conflict in event.conflicts)
    body = joined(event.body for event in events)
    return replace(events[0], body=body, faults=faults, content_type=content_type, conflicts=conflicts)


def _counted(events: Sequence[Rejection]) -> Iterable[Fault]:
    """Each reason once. The producer's response had all of them in the order of the events, and so has a retry's."""
    counts = Counter(fault for event in events for fault in event.faults)
    return first_faults(
        Fault(fault.field, f"{fault.message} ({count} of {len(events)} events)") for fault, count in counts.items()
    )
