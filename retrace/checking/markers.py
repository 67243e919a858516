"""Markers: small objects beside raw ones, each of which says of a raw line that another one has its identity."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from chalicelib.aws import keys
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.ingest.rejection import LineReference


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
