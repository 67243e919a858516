"""Differences between raw objects, digests, rows and aggregates: their kind and their place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from chalicelib.events.raw_objects import StoredEvent
from chalicelib.ingest.rejection import LineReference
from retrace.checking.claims import Marker
from retrace.checking.kinds import Kind
from retrace.output import on_one_line


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: of which kind, where, and in which fields.

    `repair` is the event whose rows can be written, `marker` what can be kept of a line that has none. `chosen` is the
    line that has, or should have, the rows in place of this one.
    """

    kind: Kind
    event_id: str | None = None
    entity_id: str | None = None
    event_time: str | None = None
    replay_id: str | None = None
    day: str | None = None
    s3_key: str | None = None
    s3_offset: int | None = None
    version_id: str | None = None
    sequence: int | None = None
    fields: tuple[str, ...] = ()
    detail: str = ""
    repair: StoredEvent | None = None
    marker: Marker | None = None
    content_sha256: str | None = None
    ingest_time: str | None = None
    chosen: LineReference | None = None

    @property
    def repairable(self) -> bool:
        """Whether `retrace check audit --repair` writes something."""
        return self.repair is not None or self.marker is not None

    @property
    def where(self) -> str:
        """Where it is, for people: a line for each thing that has a place."""
        return "\n".join(map(on_one_line, self._places()))

    def _places(self) -> list[str]:
        if self.replay_id is not None:
            of_event = f" input {self.event_id[:16]}" if self.event_id else ""
            return [f"{self.entity_id} {self.day} of {self.replay_id}{of_event}"]
        if self.version_id is not None:
            return [f"{self.s3_key} version {self.version_id}"]
        if self.sequence is not None:
            return [f"digest {self.sequence}"]
        place = f"{self.s3_key}" if self.s3_offset is None else f"{self.s3_key} at byte {self.s3_offset}"
        if self.event_id is None:
            return [place]
        event = f"event {self.event_id}" + (f" of {self.entity_id}" if self.entity_id else "")
        if self.chosen is None:
            return [event, place]
        chosen = f"{self.chosen.s3_key} at byte {self.chosen.s3_offset} ({self.chosen.ingest_time})"
        return [event, f"chosen: {chosen}", f"other: {place} ({self.ingest_time})"]

    def as_json(self) -> dict[str, Any]:
        """What scripts read: where it is, and the same words."""
        named = ["event_id", "entity_id", "event_time", "replay_id", "day", "s3_key", "s3_offset"]
        named += ["version_id", "sequence", "content_sha256", "ingest_time"]
        given = {name: getattr(self, name) for name in named}
        return {
            "difference": self.kind.value,
            **{name: value for name, value in given.items() if value is not None},
            **({} if self.chosen is None else {"chosen": asdict(self.chosen)}),
            "fields": list(self.fields),
            "detail": self.detail,
            "repairable": self.repairable,
            "meaning": self.kind.sentence,
            "remedy": self.kind.remedy,
        }


def of_event(
    kind: Kind, event: StoredEvent, *, repair: bool = False, fields: tuple[str, ...] = (), detail: str = ""
) -> Difference:
    """A difference of an event whose raw line is sound."""
    return Difference(
        kind,
        event_id=event.event_id,
        entity_id=event.entity_id,
        event_time=event.event_time,
        s3_key=event.location.key,
        s3_offset=event.location.offset,
        fields=fields,
        detail=detail,
        repair=event if repair else None,
    )


def between(
    kind: Kind, chosen: LineReference, other: StoredEvent, why: str, marker: Marker | None = None
) -> Difference:
    """A difference between two lines of an identity, of which only the chosen one may have rows."""
    return replace(
        of_event(kind, other),
        content_sha256=other.content_sha256,
        ingest_time=other.ingest_time,
        chosen=chosen,
        detail=why,
        marker=marker,
    )


def of_json(said: dict[str, Any]) -> Difference:
    """A difference that no repair belongs to, whose fields were kept as JSON."""
    chosen = said["chosen"] and LineReference(**said["chosen"])
    return Difference(**said | {"kind": Kind(said["kind"]), "fields": tuple(said["fields"]), "chosen": chosen})
