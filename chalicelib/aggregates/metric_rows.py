"""Writes metrics into rows and reads them: short, named by the first digits of their definitions' hashes.

A version's row has `m`: of each definition its groups, each as [what is folded, inputs, skipped, group…]. What is of no
event is left out. An input's row has `c`: [amount, group…], or {reason: path} if it was skipped. Metrics that count
every event are in neither, as they follow from `event_count`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.metrics.contribution import Contributed, Contribution, Skipped
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.exact_number import Exact, exact, exact_of_bytes, read_exact
from chalicelib.metrics.json_pointer import Reason
from chalicelib.metrics.metric_kinds import Amount, Extreme, Folded, Takes
from chalicelib.metrics.metric_state import REST, GroupState, MetricState
from chalicelib.replays.pinning import SHORT

Packed = Mapping[str, Any]


def packed_states(states: Iterable[MetricState]) -> dict[str, Any]:
    """What a version's row has of its metrics."""
    kept = {state.definition.sha256[:SHORT]: _packed(state) for state in states}
    return {name: groups for name, groups in kept.items() if groups}


def unpacked_state(definition: Definition, packed: Packed, event_count: int) -> MetricState:
    """The state of a definition in a version's row."""
    if definition.counts_every_event:
        folded = exact(event_count, 0) if event_count else None
        return MetricState(definition, {REST: GroupState(folded, event_count)})
    found = (_unpacked(*each) for each in packed.get(definition.sha256[:SHORT], ()))
    return MetricState(definition, {REST: GroupState(), **dict(found)})


def packed_contributions(contributed: Mapping[str, Contributed]) -> dict[str, Any]:
    """What an input's row has of what it contributed."""
    return {sha256[:SHORT]: _of_one(each) for sha256, each in contributed.items()}


def unpacked_contributions(packed: Packed, definitions: Iterable[Definition]) -> dict[str, Contributed]:
    """What an input contributed to definitions, by their hashes."""
    short = ((each, packed.get(each.sha256[:SHORT])) for each in definitions)
    return {each.sha256: _contributed(each, found) for each, found in short if found is not None}


def _packed(state: MetricState) -> list[list[Any]]:
    if state.definition.counts_every_event:
        return []
    return [
        [_stored(each.folded), each.inputs, each.skipped, *group]
        for group, each in state.groups.items()
        if each != GroupState()
    ]


def _unpacked(folded: Any, inputs: int, skipped: int, *group: str) -> tuple[tuple[str, ...], GroupState]:
    return group, GroupState(_folded_of(folded), inputs, skipped)


def _stored(folded: Folded) -> bytes | list[bytes] | None:
    if isinstance(folded, Extreme):
        return [folded.number.to_bytes(), bytes.fromhex(folded.event_id)]
    return folded.to_bytes() if isinstance(folded, Exact) else None


def _folded_of(stored: Any) -> Folded:
    match stored:
        case [number, event_id]:
            return Extreme(exact_of_bytes(number), event_id.hex())
        case bytes():
            return exact_of_bytes(stored)
        case _:
            return None


def _of_one(contributed: Contributed) -> list[str] | dict[str, str]:
    if isinstance(contributed, Skipped):
        return {contributed.reason.value: contributed.path}
    return [str(contributed.amount), *contributed.group]


def _contributed(definition: Definition, stored: Sequence[str] | Mapping[str, str]) -> Contributed:
    if isinstance(stored, Mapping):
        [(reason, path)] = stored.items()
        return Skipped(Reason(reason), path)
    amount, *group = stored
    return Contribution(tuple(group), _amount(definition, amount))


def _amount(definition: Definition, text: str) -> Amount:
    return text if definition.kind.takes is Takes.SCALARS else read_exact(text)
