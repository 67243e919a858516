"""Filters of requests for replays: criteria by which selected events are taken in or left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

from chalicelib.core.fields import EventType, Milliseconds, Sha256Text, Source
from chalicelib.events.raw_objects import StoredEvent

MAX_NAMES = 20
MAX_EVENT_IDS = 500

# JSON has arrays only; strictness holds for what is in them.
LENIENT = Strict(strict=False)


def _not_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("must not be empty")
    return names


NOT_EMPTY = AfterValidator(_not_empty)


def _few_enough(given: object) -> object:
    if isinstance(given, list) and len(given) > MAX_EVENT_IDS:
        more = "Upload more in a file: retrace replay create --events FILE"
        raise ValueError(f"has {len(given)} ids. At most {MAX_EVENT_IDS} are allowed. {more}")
    return given


class ReplayFilter(BaseModel):
    """Criteria by which events are taken in, or left out; at least one is given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    sources: Annotated[tuple[Source, ...], Field(max_length=MAX_NAMES), NOT_EMPTY, LENIENT] | None = None
    event_types: Annotated[tuple[EventType, ...], Field(max_length=MAX_NAMES), NOT_EMPTY, LENIENT] | None = None
    event_ids: (
        Annotated[
            tuple[Sha256Text, ...],
            Field(max_length=MAX_EVENT_IDS),
            NOT_EMPTY,
            LENIENT,
            BeforeValidator(_few_enough),
        ]
        | None
    ) = None
    min_lag_ms: Milliseconds | None = None

    @model_validator(mode="after")
    def _has_a_criterion(self) -> ReplayFilter:
        if all(value is None for _, value in self):
            raise ValueError("needs sources, event_types, event_ids or min_lag_ms")
        return self

    def meets_all(self, event: StoredEvent) -> bool:
        """Whether an event meets every criterion, as `include` requires."""
        return all(self._verdicts(event))

    def meets_any(self, event: StoredEvent) -> bool:
        """Whether an event meets one of the criteria, as `exclude` requires."""
        return any(self._verdicts(event))

    def _verdicts(self, event: StoredEvent) -> Iterator[bool]:
        if self.sources is not None:
            yield event.source in self.sources
        if self.event_types is not None:
            yield event.event_type in self.event_types
        if self.event_ids is not None:
            yield event.event_id in self.event_ids
        if self.min_lag_ms is not None:
            yield event.ingest_lag_ms >= self.min_lag_ms
