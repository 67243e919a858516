"""Which of several raw lines of one identity had the rows, as conflicts in quarantine and markers tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.aws import keys
from chalicelib.core.timestamps import Instant, nanoseconds
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference, parse_rejection
from retrace.checking.markers import parse_marker

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
    """What a record of conflicts, or a marker, tells; raises IntegrityFailure if it is neither."""
    if key.startswith(keys.SUPERSEDED):
        marker = parse_marker(key, content)
        return [Claim(marker.event_id, marker.first, marker.found_at, key)]
    rejected = parse_rejection(content)
    return [Claim(each.event_id, each.first, rejected.ingest_time, key) for each in rejected.conflicts]


def tells(key: str) -> bool:
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
