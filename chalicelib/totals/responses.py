"""Answers about the values of metrics, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, NotRequired, cast

from chalicelib.aggregates.schemas import MetricShape
from chalicelib.core.schemas import Count, Cursor, Day, JsonSchema, Sha256, Shape, Time
from chalicelib.totals.use_cases import FoundValues
from chalicelib.totals.values import MetricValue


class ValueShape(MetricShape):
    """What a metric comes to on a day: over all entities, or of one."""

    day: Annotated[Day, JsonSchema(description="Of the answer's calendar.")]
    entity_id: NotRequired[Annotated[str, JsonSchema(description="If it is of one entity.")]]
    replay_id: Annotated[str, JsonSchema(description="The replay that computed its versions.")]
    versions: Annotated[Count, JsonSchema(description="How many versions were folded, one for each entity.")]
    event_count: Annotated[Count, JsonSchema(description="How many events are inputs of these versions.")]
    inputs_hash: Annotated[Sha256, JsonSchema(description="Depends on the set of these inputs alone.")]
    computed_at: Time
    complete: bool
    partial_because: NotRequired[list[str]]
    arrived_since: Annotated[
        Count | None,
        JsonSchema(description="Events that came after the replay had read the index. Null if they are not counted."),
    ]
    arrived_since_counts: NotRequired[
        Annotated[str, JsonSchema(description="Which events are counted, if the metric may not take all of them.")]
    ]


class MissingDay(Shape):
    """A day without a value."""

    day: Day
    reason: str


class ValueList(Shape):
    """A page of the values of a metric, in order of days."""

    name: str
    definition_sha256: Annotated[Sha256, JsonSchema(description="The newest one, or the one that is asked for.")]
    calendar: Annotated[str, JsonSchema(description="Whose days are counted, a time zone.")]
    by: Literal["group", "day", "entity"]
    values: list[ValueShape]
    missing: list[MissingDay]
    replays: Annotated[
        list[dict[str, Any]],
        JsonSchema(description="Bodies for POST /replay that compute missing, partial and stale days again."),
    ]
    cursor: Cursor


def values(found: FoundValues) -> ValueList:
    """A page of values."""
    page = found.page
    return {
        "name": page.definition.name,
        "definition_sha256": page.definition.sha256,
        "calendar": page.definition.time_zone,
        "by": found.query.by,
        "values": list(map(_value, page.values)),
        "missing": [{"day": each.day, "reason": each.reason} for each in page.missing],
        "replays": list(found.replays),
        "cursor": found.cursor,
    }


def _value(value: MetricValue) -> ValueShape:
    partial_because = list(value.computed.partial_because)
    answer = {
        "day": value.computed.day,
        **({} if value.entity_id is None else {"entity_id": value.entity_id}),
        **value.members,
        "replay_id": value.computed.job.replay_id,
        "versions": value.versions,
        "event_count": value.aggregate.event_count,
        "inputs_hash": value.aggregate.inputs_hash,
        "computed_at": value.computed_at,
        "complete": not partial_because,
        **({"partial_because": partial_because} if partial_because else {}),
        "arrived_since": value.arrived_since,
        **({"arrived_since_counts": counts} if (counts := value.arrived_since_counts) else {}),
    }
    return cast("ValueShape", answer)


_OF_VALUE = ("day", "entity_id")
_COUNTED = ("value", "inputs", "skipped", "replay_id", "definition_sha256", "versions", "inputs_hash", "complete")


def as_csv(answer: ValueList) -> str:
    """The values as CSV (RFC 4180), with a column for each path that groups have."""
    paths = list(dict.fromkeys(path for each in answer["values"] for path in each["group"]))
    lines: list[Iterable[object]] = [[*_OF_VALUE, *paths, *_COUNTED, "arrived_since"]]
    lines += (_cells(cast("dict[str, Any]", each), paths) for each in answer["values"])
    return "".join(",".join(map(_written, line)) + "\r\n" for line in lines)


def _cells(value: dict[str, Any], paths: list[str]) -> Iterator[object]:
    yield from (value.get(name) for name in _OF_VALUE)
    yield from (value["group"].get(path) for path in paths)
    yield from (value[name] for name in (*_COUNTED, "arrived_since"))


def _written(cell: object) -> str:
    if cell is None or isinstance(cell, bool):
        return "" if cell is None else str(cell).lower()
    text = str(cell)
    needs_quotes = any(character in text for character in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if needs_quotes else text
