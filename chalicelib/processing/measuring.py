"""Makes an input of a raw line, with what it contributes to the metrics of its versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.aggregates.aggregate import Version, definitions_in
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import MessageKey, Outcome, OutcomeRecord, VersionInput
from chalicelib.aggregates.ports import DefinitionsByHash
from chalicelib.core.calendars import day_in
from chalicelib.core.errors import NotFound, PermanentError
from chalicelib.core.lossless_json import JsonText
from chalicelib.core.timestamps import CALENDAR
from chalicelib.events.raw_objects import RawLine
from chalicelib.metrics.contribution import Contributed, contributions, measured
from chalicelib.metrics.definition import Definition
from chalicelib.processing.fetcher import Message, OfLine
from chalicelib.replays.messages import ObjectReference, ReplayMessage
from chalicelib.replays.ports import ReplayStatus


class _NoDefinitions:
    """Only the built-in definitions."""

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        """Nothing."""
        raise NotFound(f"None of these {len(hashes)} definitions is known: only built-in metrics are computed here.")


NO_DEFINITIONS = _NoDefinitions()

Pinned = Mapping[str, Sequence[Definition]]
"""The definitions that replays compute, by the ids of the replays; without replays some definition of which is lost."""


def pinned_by(definitions: DefinitionsByHash, statuses: Mapping[str, ReplayStatus]) -> Pinned:
    """The definitions of replays. Those that compute only what is built in have none, and cost no call."""
    pinned: dict[str, Sequence[Definition]] = {}
    for replay_id, status in statuses.items():
        with suppress(NotFound):
            pinned[replay_id] = definitions.by_hash(status.metrics) if status.metrics else ()
    return pinned


class LostDefinition(PermanentError):
    """A replay computes a metric whose definition is not there."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    """An event as an input of versions."""

    message: Message
    line: RawLine
    pinned: Sequence[Definition]
    contributed: Mapping[str, Contributed]

    def of(self, calendar: str) -> VersionInput:
        """As an input of the version of a calendar."""
        line, definitions = self.line, definitions_in(calendar, self.pinned)
        of_job = isinstance(self.message, ReplayMessage)
        day = day_in(calendar, line.event_time)
        version = Version(line.entity_id, day, self.message.replay_id, of_job, calendar)
        own = {each.sha256: self.contributed[each.sha256] for each in definitions if each.sha256 in self.contributed}
        event = Input(line.event_time, line.event_id, line.event_type, line.content_sha256, own)
        return VersionInput(version, event, definitions)


def record_by(pinned: Pinned) -> OfLine[OutcomeRecord]:
    """The record of a message by its line; raises LostDefinition or NothingToContribute."""

    def record(message: Message, line: RawLine, json: JsonText) -> OutcomeRecord:
        own = () if isinstance(message, ObjectReference) else pinned.get(message.replay_id)
        if own is None:
            raise LostDefinition(f"A definition of a metric that the replay {message.replay_id} computes is not there.")
        return _record(message, line, json, own)

    return record


def _record(message: Message, line: RawLine, json: JsonText, pinned: Sequence[Definition]) -> OutcomeRecord:
    duplicate = message.duplicate if isinstance(message, ReplayMessage) else None
    inputs = _Inputs(message, line, pinned, _contributed(line, json, pinned) if duplicate is None else {})
    calendars = dict.fromkeys(each.time_zone for each in pinned if each.time_zone != CALENDAR)
    [first, *elsewhere] = map(inputs.of, (CALENDAR, *calendars))
    return OutcomeRecord(
        first.version,
        first.event,
        Outcome.INPUT if duplicate is None else Outcome.DUPLICATE,
        MessageKey(line.event_time, line.event_id, duplicate),
        first.definitions,
        tuple(elsewhere) if duplicate is None else (),
    )


def _contributed(line: RawLine, json: JsonText, pinned: Sequence[Definition]) -> Mapping[str, Contributed]:
    selecting = [each for each in pinned if not each.counts_every_event]
    return contributions(selecting, measured(line.event_id, line.event_type, json.value)) if selecting else {}
