"""What differs between raw objects, digests, rows and aggregates: of which kind it is, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.raw_line import StoredEvent
from retrace.checking.kinds import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: of which kind, where, and in which fields. `repair` is the event whose rows can be written."""

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

    @property
    def where(self) -> str:
        """Where it is, for people."""
        if self.replay_id is not None:
            of_event = f" input {self.event_id[:16]}" if self.event_id else ""
            return f"{self.entity_id} {self.day} of {self.replay_id}{of_event}"
        if self.version_id is not None:
            return f"{self.s3_key} version {self.version_id}"
        if self.sequence is not None:
            return f"digest {self.sequence}"
        place = f"{self.s3_key}" if self.s3_offset is None else f"{self.s3_key} at byte {self.s3_offset}"
        if self.event_id is None:
            return place
        return f"event {self.event_id}" + (f" of {self.entity_id}" if self.entity_id else "") + f"\n{place}"

    def as_json(self) -> dict[str, Any]:
        """What scripts read: where it is, and the same words."""
        named = ["event_id", "entity_id", "event_time", "replay_id", "day", "s3_key", "s3_offset"]
        named += ["version_id", "sequence"]
        given = {name: getattr(self, name) for name in named}
        return {
            "difference": self.kind.value,
            **{name: value for name, value in given.items() if value is not None},
            "fields": list(self.fields),
            "detail": self.detail,
            "repairable": self.repair is not None,
            "meaning": self.kind.sentence,
            "remedy": self.kind.remedy,
        }


def of_event(kind: Kind, event: StoredEvent, *, repair: bool = False, fields: tuple[str, ...] = ()) -> Difference:
    """A difference of an event whose raw line is sound."""
    return Difference(
        kind,
        event_id=event.event_id,
        entity_id=event.entity_id,
        event_time=event.event_time,
        s3_key=event.location.key,
        s3_offset=event.location.offset,
        fields=fields,
        repair=event if repair else None,
    )
