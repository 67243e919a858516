"""The ledger, the states of replays and the dead-letter queue in memory, as the ports describe them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from chalicelib.aggregates.aggregate import Definitions, Version
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ledger import (
    Changes,
    Counts,
    Ledger,
    LedgerKey,
    Outcome,
    OutcomeRecord,
    Snapshot,
    VersionConflict,
)
from chalicelib.aggregates.ports import AggregateVersion, InputsPage, VersionsPage
from chalicelib.core.errors import WriteConflict
from chalicelib.core.ports import Delivery
from chalicelib.core.timestamps import CALENDAR, Day, Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.processing.dead_letters import DeadLetter
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import ReplayMessage
from chalicelib.replays.ports import ReplayStatus
from tests.unit.examples import INGESTED

ROWS_A_CALL = 100


@dataclass
class Aggregates:
    """What became of messages, versions, and progress. Before each write, `meanwhile` may let others get in first.

    `tells` says whether a write that others overtook is told what they wrote.
    """

    versions_written: dict[Version, Snapshot] = field(default_factory=dict)
    entries: dict[LedgerKey, OutcomeRecord] = field(default_factory=dict)
    progress: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    meanwhile: Callable[[], None] = lambda: None
    tells: Callable[[], bool] = lambda: True
    calls: list[str] = field(default_factory=list)

    def read(self, records: Sequence[OutcomeRecord]) -> Ledger:
        self.calls.append("read")
        versions = {added.version for each in records for added in each.inputs}
        assert len(records) + len(versions) <= ROWS_A_CALL
        return self._ledger([each.key for each in records], versions)

    def _ledger(self, entries: Collection[LedgerKey], versions: Collection[Version]) -> Ledger:
        return Ledger(
            {entry: self.entries[entry].outcome for entry in entries if entry in self.entries},
            {version: self.versions_written[version] for version in versions if version in self.versions_written},
        )

    def write(self, changes: Changes, now: Instant) -> None:
        self.meanwhile()
        self.calls.append("write")
        assert changes.transitions, "nothing to write"
        elsewhere = sum(len(each.record.elsewhere) for each in changes.transitions)
        rows = len(changes.transitions) + elsewhere + len(changes.revisions) + len(changes.progress)
        assert rows <= ROWS_A_CALL
        entries = {each.record.key: each.before for each in changes.transitions}
        revisions = {each.version: each.read_revision for each in changes.revisions}
        assert len(entries) == len(changes.transitions), "a transaction changes each row once"
        current = self._ledger(entries, revisions)
        overtaken = [entry for entry, before in entries.items() if current.outcomes.get(entry) is not before]
        outdated = [
            version
            for version, revision in revisions.items()
            if current.versions.get(version, Snapshot()).revision != revision
        ]
        if overtaken or outdated:
            raise (
                VersionConflict("overtaken", self._ledger(overtaken, outdated))
                if self.tells()
                else WriteConflict("changed")
            )
        self._apply(changes)

    def _apply(self, changes: Changes) -> None:
        for each in changes.transitions:
            self.entries[each.record.key] = each.record
            for added in each.record.elsewhere:
                key = added.version, each.record.message_key
                self.entries[key] = replace(each.record, version=added.version, event=added.event, elsewhere=())
        for revised in changes.revisions:
            self.versions_written[revised.version] = Snapshot(revised.aggregate, revised.read_revision + 1)
        for replay_id, by in changes.progress.items():
            self.progress[replay_id] += by

    def outcome(self, entry: LedgerKey) -> Outcome | None:
        """What is recorded of a message."""
        return self.entries[entry].outcome if entry in self.entries else None

    def inputs_of(self, version: Version) -> list[Input]:
        """The inputs of a version, in order."""
        of_version = (each for each in self.entries.values() if each.version == version)
        return sorted(each.event for each in of_version if each.outcome is Outcome.INPUT)

    def versions(
        self, entity_id: str, day: Day, after: str | None, limit: int, calendar: str = CALENDAR
    ) -> VersionsPage:
        found = [
            AggregateVersion(version, snapshot.aggregate, INGESTED)
            for version, snapshot in self.versions_written.items()
            if (version.entity_id, version.day, version.calendar) == (entity_id, day, calendar)
        ]
        begin = int(after or 0)
        more = len(found) > begin + limit
        return VersionsPage(tuple(found[::-1][begin : begin + limit]), str(begin + limit) if more else None)

    def named(
        self, entity_id: str, day: Day, replay_ids: Collection[str], calendar: str = CALENDAR
    ) -> list[AggregateVersion]:
        raise NotImplementedError

    def position_of(self, single: Input) -> str:
        raise NotImplementedError

    def inputs(self, version: Version, after: str | None, limit: int, definitions: Definitions = ()) -> InputsPage:
        raise NotImplementedError

    def inputs_among(self, candidates: Sequence[tuple[Version, StoredEvent]]) -> list[tuple[Version, StoredEvent]]:
        return [
            (version, event)
            for version, event in candidates
            if (event.event_time, event.event_id) in {single.key for single in self.inputs_of(version)}
        ]


@dataclass
class States:
    """The states of replays; those that are not named are unknown."""

    by_id: dict[str, JobState] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()

    def states(self, replay_ids: Collection[str]) -> Mapping[str, ReplayStatus]:
        known = [replay_id for replay_id in replay_ids if replay_id in self.by_id]
        return {replay_id: ReplayStatus(self.by_id[replay_id], self.metrics) for replay_id in known}


@dataclass
class AcknowledgedDeliveries:
    """What was taken off a queue."""

    deliveries: list[Delivery] = field(default_factory=list)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.deliveries += deliveries


@dataclass
class DeadLettersInMemory:
    """The dead-letter queue, and what was sent back from it."""

    visible: list[Delivery] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    hidden: list[Delivery] = field(default_factory=list)
    sent_back: list[str] = field(default_factory=list)
    ordered: bool = False
    _numbers: Callable[[], int] = field(default_factory=lambda: count().__next__)

    def show(self, deliveries: Sequence[Delivery]) -> None:
        raise AssertionError(deliveries)

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        numbers = [self._numbers() for _ in letters]
        self.reasons += [(letter.failure.value, letter.reason) for letter in letters]
        self.visible += [
            Delivery(f"dead-{number}", f"dead-receipt-{number}", letter.body)
            for number, letter in zip(numbers, letters, strict=True)
        ]

    def receive(self, hidden_s: int) -> list[Delivery]:
        received, self.visible = self.visible[:10], self.visible[10:]
        self.hidden += received
        return received

    def send_back(self, messages: Sequence[tuple[Delivery, ReplayMessage]]) -> None:
        self.sent_back += [each.body for each, _ in messages]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.visible = [each for each in self.visible if each not in deliveries]
        self.hidden = [each for each in self.hidden if each not in deliveries]

    def a_minute_later(self) -> None:
        """What was received and not taken off can be received again."""
        self.visible, self.hidden = self.visible + self.hidden, []

    @property
    def bodies(self) -> list[str]:
        """What rests there."""
        return [each.body for each in self.visible + self.hidden]
