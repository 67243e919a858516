"""Reads conflicts in quarantine and markers, which say which of several raw lines of one identity had the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from chalicelib.aws import keys
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference, parse_rejection


@dataclass(frozen=True, slots=True)
class Marker:
    """A raw line that no row points at, and the line that has the rows of its identity."""

    event_id: str
    superseded: LineReference
    first: LineReference
    found_at: Instant

    @property
    def key(self) -> str:
        """The key of the object: one for each line."""
        return keys.superseded(self.superseded.s3_key, self.superseded.s3_offset)

    def to_json(self) -> bytes:
        """The object."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()


def parse_marker(key: str, content: bytes) -> Marker:
    """The marker of an object; raises IntegrityFailure if it is none, or that of another line."""
    try:
        members = json.loads(content)
        superseded, first = (LineReference(**members.pop(name)) for name in ("superseded", "first"))
        marker = Marker(**members, superseded=superseded, first=first)
        own_key = marker.key
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise IntegrityFailure("The object is not a marker of Retrace.") from error
    if own_key != key:
        raise IntegrityFailure(f"The marker is of another line: its own key is {own_key}.")
    return marker


_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """That a line had the rows of an identity: when that was so, and which object tells it."""

    event_id: str
    first: LineReference
    told_at: Instant
    told_by: str

    def names(self, line: StoredEvent) -> bool:
        """Whether it is of this very line."""
        return (line.location.key, line.location.offset) == (self.first.s3_key, self.first.s3_offset)


def claims_of(key: str, content: bytes) -> list[Claim]:
    """The claims of a record of conflicts or of a marker; raises IntegrityFailure if it is neither."""
    if key.startswith(keys.SUPERSEDED):
        marker = parse_marker(key, content)
        return [Claim(marker.event_id, marker.first, marker.found_at, key)]
    rejected = parse_rejection(content)
    return [Claim(each.event_id, each.first, rejected.ingest_time, key) for each in rejected.conflicts]


def is_claim_record(key: str) -> bool:
    """Whether an object is a record of conflicts, or a marker."""
    return keys.is_conflict(key) or key.startswith(keys.SUPERSEDED)


def ruling(claims: Iterable[Claim], line: StoredEvent, identity_ttl_s: int | None) -> Claim | None:
    """The claim that decides about a line: of those that do not belong to another life of its identity the oldest."""
    own = [claim for claim in claims if not apart(claim.first.ingest_time, line.ingest_time, identity_ttl_s)]
    return min(own, key=lambda claim: (claim.told_at, claim.told_by), default=None)


def apart(one: Instant, other: Instant, identity_ttl_s: int | None) -> bool:
    """Whether so much time lies between two lines of an identity that it had expired when the later was taken in."""
    between = abs(nanoseconds(one) - nanoseconds(other))
    return identity_ttl_s is not None and between >= identity_ttl_s * _NANOSECONDS
