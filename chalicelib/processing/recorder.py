"""Records outcomes of messages: aggregates, outcomes and progress change together, also with concurrent writers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chalicelib.aggregates.ledger import (
    Changes,
    Ledger,
    LedgerKey,
    Outcome,
    OutcomeRecord,
    VersionConflict,
    changes_to,
    outcomes_after,
)
from chalicelib.aggregates.transactions import by_version, written_together
from chalicelib.core.errors import RetraceError, StorageRefused, WriteConflict
from chalicelib.core.ports import Clock, Pause
from chalicelib.core.timestamps import Instant

# Of concurrent writers of one version one always succeeds. The others retry.
# A writer that gets the current row with its rejection retries immediately, because waiting only makes the row old.
# A writer that meets another transaction gets no row, so it waits at random, up to two seconds, and reads. If every
# attempt were of that kind, forty would take 37 of the processor's 60 seconds on average. In a model (calls of 10 to
# 20 ms, no pause between batches) the unluckiest write took 7 attempts among 10 processors, and 19 among 100.
ATTEMPTS = 40

# What is written with rows of other versions meets more writers; it is soon written by itself.
ATTEMPTS_TOGETHER = 8


class AggregateStore(Protocol):
    """The ledger: what became of messages, and the versions of daily aggregates."""

    def read(self, records: Sequence[OutcomeRecord]) -> Ledger:
        """What is recorded of messages, and the versions that inputs are to be added to; at most 100 rows."""

    def write(self, changes: Changes, now: Instant) -> None:
        """Write outcomes, aggregates and the progress of replays, at most 100 rows, all or nothing.

        Raises WriteConflict if any of it has changed since it was read: VersionConflict if it is known how it is now.
        """


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says of messages now, which it failed to record, and how many writes of aggregates there were."""

    outcomes: Mapping[LedgerKey, Outcome | None] = field(default_factory=dict)
    failures: Mapping[LedgerKey, RetraceError] = field(default_factory=dict)
    aggregate_writes: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        """Both."""
        return Recorded(
            {**self.outcomes, **other.outcomes},
            {**self.failures, **other.failures},
            self.aggregate_writes + other.aggregate_writes,
        )


@dataclass(frozen=True)
class RecordInLedger:
    """The ledger's only writer, used by whatever settles messages."""

    store: AggregateStore
    now: Clock
    pause: Pause

    def record(self, records: Sequence[OutcomeRecord]) -> Recorded:
        """Record records, each part after the other, so that no two of them meet in one version.

        Recording the same again changes nothing, so a caller that ended half-way just comes again.
        """
        recorded = Recorded()
        for part in written_together(records):
            recorded += self._recorded(part)
        return recorded

    def _recorded(self, part: Sequence[OutcomeRecord]) -> Recorded:
        """Record what belongs into one transaction; if that fails, version by version, so that one harms no other."""
        versions = by_version(part)
        try:
            return self._written(part, ATTEMPTS_TOGETHER if len(versions) > 1 else ATTEMPTS)
        except (StorageRefused, WriteConflict) as error:
            if len(versions) == 1:
                return _failed(part, error)
        except RetraceError as error:
            return _failed(part, error)
        recorded = Recorded()
        for of_version in versions:
            recorded += self._recorded(of_version)
        return recorded

    def _written(self, part: Sequence[OutcomeRecord], attempts: int) -> Recorded:
        ledger: Ledger | None = None
        made = 0
        while made < attempts:
            ledger = ledger or self.store.read(part)
            changes = changes_to(ledger, part)
            try:
                if changes.transitions:
                    self.store.write(changes, self.now())
            except VersionConflict as conflict:
                made += conflict.attempts
                ledger = ledger.with_newer(conflict.found)
            except WriteConflict as conflict:
                made += conflict.attempts
                self.pause(made)
                ledger = None
            else:
                return Recorded(outcomes_after(ledger, part), {}, int(bool(changes.revisions)))
        raise WriteConflict("Others kept recording outcomes of the same aggregates. Try again.")


def _failed(part: Sequence[OutcomeRecord], error: RetraceError) -> Recorded:
    return Recorded({}, {each.key: error for each in part}, 0)
