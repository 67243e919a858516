"""Computes versions of aggregates and kept values again from their inputs, and compares them with those stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.aggregates.aggregate import Definitions, Version, aggregate_of
from chalicelib.aggregates.dynamodb_rows import version_row
from chalicelib.aggregates.dynamodb_values import packed_values
from chalicelib.aggregates.inputs import Input, InputKey
from chalicelib.aggregates.ledger import NewRevision, Outcome
from chalicelib.aggregates.metric_rows import packed_contributions, unpacked_contributions
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.percent_encoding import from_key
from chalicelib.core.replay_ids import replay_id_of_version
from chalicelib.core.timestamps import PERIOD, Day, Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.metrics.contribution import Contributed
from chalicelib.metrics.definition import BUILT_IN
from chalicelib.metrics.metric_state import values_of_all
from chalicelib.replays.messages import is_object_version
from retrace.checking.differences import Difference
from retrace.checking.kinds import Kind

Row = Mapping[str, Any]
Known = Mapping[InputKey, Input]
"""What raw lines (where they are sound, else rows) say of the events that an aggregate can have counted."""

_NOT_KEPT = object()
_METRICS = ("metrics", "m")
_MOVES_ON = ("computed_at", "revision")
_SAID = ("event_time", "event_id", "event_type", "content_sha256")


def input_of(event: StoredEvent | Row) -> Input:
    """What an aggregate takes of an event."""
    said = {name: getattr(event, name) for name in _SAID} if isinstance(event, StoredEvent) else event
    return Input(
        Instant(str(said.get("event_time"))),
        str(said.get("event_id")),
        str(said.get("event_type")),
        str(said.get("content_sha256")),
    )


def check_version(
    version: Version, row: Row | None, entries: Iterable[Row], known: Known, definitions: Definitions = BUILT_IN
) -> list[Difference]:
    """What differs between a version, the rows of its messages, and the events that are known.

    A version that follows from its inputs as they are recorded, or as they are known, is not reported beside them.
    What known events contribute to these definitions is computed from their raw lines.
    """
    recorded: list[Input] = []
    believed: list[Input] = []
    found: list[Difference] = []
    for entry, said, event in _inputs_among(entries, known, definitions):
        found += _of_input(version, entry, said, event)
        recorded.append(said)
        believed.append(event or said)
    if row is None:
        return [*found, _of_version(Kind.VERSION_MISSING, version)] if recorded else []
    fields = _differing(version, row, recorded, definitions)
    if fields and not _differing(version, row, believed, definitions):
        fields = ()
    return [*found, _of_version(Kind.VERSION_DIFFERS, version, fields)] if fields else found


def check_values(
    version: Version, rows: Iterable[Row], entries: Iterable[Row], known: Known, definitions: Definitions
) -> Iterator[Difference]:
    """What differs between kept values of these inputs and those that follow from what the inputs contribute."""
    inputs = [event or said for _, said, event in _inputs_among(entries, known, definitions)]
    aggregate = aggregate_of(inputs, definitions)
    kept = {str(row.get("SK")): row.get("values") for row in rows}
    for each in definitions:
        row = kept.get(keys.values("", each.sha256, aggregate.inputs_hash)[1], _NOT_KEPT)
        if each.kind.of_all is None or row is _NOT_KEPT:
            continue
        state = aggregate.states[each.sha256]
        values = packed_values(values_of_all(state, (single.contributed_to(each) for single in inputs)))
        if row != values:
            difference = _of_version(Kind.VALUES_DIFFER, version, ("values",))
            yield replace(difference, detail=f"{each.name} is {json.dumps(values)}, not {json.dumps(row, default=str)}")


def _inputs_among(
    entries: Iterable[Row], known: Known, definitions: Definitions
) -> Iterator[tuple[Row, Input, Input | None]]:
    """Rows of inputs, each with what it says and the event that is known."""
    for entry in entries:
        if entry.get("outcome") == Outcome.INPUT.value:
            said = replace(input_of(entry), contributed=contributed_of(entry, definitions))
            yield entry, said, known.get(key_of_input(entry))


def contributed_of(entry: Row, definitions: Definitions) -> dict[str, Contributed]:
    """What the row of an input says that it contributed, as far as that can be read."""
    try:
        return unpacked_contributions(entry.get("c", {}), definitions)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return {}


def key_of_input(entry: Row) -> InputKey:
    """Time and id as a row's sort key has them, which cannot be edited: TS#<time>#EID#<id>."""
    _, event_time, _, event_id = [*str(entry.get("SK")).split("#", 4), "", "", ""][:4]
    return Instant(event_time), event_id


def _of_input(version: Version, entry: Row, said: Input, event: Input | None) -> list[Difference]:
    if event is None:
        # A bare reference to an object counts all lines of it, those included that lost against another request's.
        kind = None if is_object_version(version.replay_id) else Kind.INPUT_UNKNOWN
        fields: tuple[str, ...] = ()
    else:
        fields = tuple(name for name in _SAID if getattr(event, name) != getattr(said, name))
        fields += ("c",) if packed_contributions(event.contributed) != entry.get("c", {}) else ()
        kind = Kind.INPUT_DIFFERS if fields else None
    if kind is None:
        return []
    return [_of_version(kind, version, fields, key_of_input(entry))]


def _differing(version: Version, row: Row, inputs: list[Input], definitions: Definitions) -> tuple[str, ...]:
    changed = NewRevision(version, aggregate_of(inputs, definitions), read_revision=0)
    expected = from_item(version_row(changed, Instant(str(row.get("computed_at")))))
    names = [*expected, *(name for name in _METRICS if name in row and name not in expected)]
    return tuple(name for name in names if name not in _MOVES_ON and expected.get(name) != row.get(name))


def _of_version(
    kind: Kind, version: Version, fields: tuple[str, ...] = (), event: InputKey | tuple[None, None] = (None, None)
) -> Difference:
    return Difference(
        kind,
        entity_id=version.entity_id,
        day=version.day,
        replay_id=version.replay_id,
        fields=fields,
        event_time=event[0],
        event_id=event[1],
    )


def version_of_partition(partition: str) -> Version | None:
    """The version whose messages a partition contains: ENTITY#<entity>#P1D#UTC#<day>#VER#<replay>."""
    match partition.split("#"):
        case ["ENTITY", entity, period, calendar, day, "VER", replay] if period == PERIOD:
            replay_id = replay_id_of_version(replay)
            of_job = not is_object_version(replay_id)
            return Version(from_key(entity), Day(day), replay_id, of_job, from_key(calendar))
    return None
