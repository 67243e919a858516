"""Reported outcomes: however a consumer crashes, repeats itself or is late, each message it was sent counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given

from chalicelib.aggregates.ledger import Counts, Outcome, record_of
from chalicelib.core.errors import RetraceError
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.processing.reported import OutcomesReport, RecordReportedOutcomes, ReportedOutcome
from chalicelib.replays.destinations import DeclaredDestination, Destinations
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.messages import Duplicate, ReplayMessage, message_of
from chalicelib.replays.request import ReplayRequest
from tests.unit.examples import INGESTED, RECEIPT, an_event
from tests.unit.in_memory import Bucket, Ended, Jobs, Troubles, at, no_pause
from tests.unit.json_trees import randoms
from tests.unit.ledger_in_memory import Aggregates

MESSAGES = 40
BILLING = Destinations(
    {"billing": DeclaredDestination("billing", "arn:aws:sqs:eu-west-1:1:billing", takes_reports=True)}
)


@dataclass
class Consumer:
    """A consumer of one replay that reports whatever it likes, and what the ledger should say of it."""

    rng: Random
    sent: list[ReplayMessage]
    strangers: list[ReplayMessage]
    jobs: Jobs = field(default_factory=Jobs)
    aggregates: Aggregates = field(default_factory=Aggregates)
    troubles: Troubles = field(default_factory=Troubles)
    expected: dict[ReplayMessage, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        request = ReplayRequest(source="shop", event_type="order.paid", day="2026-11-21", destination="billing")
        self.jobs.by_id["replay-1"] = ReplayJob(
            "replay-1", request, "me", INGESTED, INGESTED, shards=1, takes_reports=True
        )
        self.jobs.sent["replay-1"].add(self.sent)

    def report(self) -> None:
        """Report some messages, in one call that may end anywhere."""
        count = self.rng.randint(1, 2 * MESSAGES)
        chosen = [
            (self.rng.choice(self.sent + self.strangers), self.rng.choice(["done", "failed"])) for _ in range(count)
        ]
        outcomes = [
            ReportedOutcome(event_id=each.event_id, duplicate=each.duplicate, outcome=outcome)
            for each, outcome in chosen
        ]
        recorder = RecordInLedger(self.troubles.beset(self.aggregates), at(), no_pause)
        use_case = RecordReportedOutcomes(self.jobs, recorder, BILLING)
        self.troubles.ahead = iter(self.rng.choices(["none", "refused", "lost", "last"], [12, 1, 1, 1], k=20))
        try:
            use_case.record("replay-1", OutcomesReport(outcomes=tuple(outcomes)), None)
        except (RetraceError, Ended):
            self.troubles.ahead = iter(())
            use_case.record("replay-1", OutcomesReport(outcomes=tuple(outcomes)), None)
        for message, outcome in chosen:
            if message in self.sent and self.expected.get(message) is not Outcome.DONE:
                self.expected[message] = Outcome.DONE if outcome == "done" else Outcome.FAILED

    def settle(self) -> None:
        """Report all that is left as done."""
        outcomes = [
            ReportedOutcome(event_id=each.event_id, duplicate=each.duplicate, outcome="done") for each in self.sent
        ]
        recorder = RecordInLedger(self.aggregates, at(), no_pause)
        RecordReportedOutcomes(self.jobs, recorder, BILLING).record(
            "replay-1", OutcomesReport(outcomes=tuple(outcomes)), None
        )


def messages_of(numbers: range) -> list[ReplayMessage]:
    """Messages of events of three entities, each third of which stands for a later arrival."""
    found = []
    for number in numbers:
        [event] = Bucket().put_once([an_event(payload=number, entity_id=f"order-{number % 3}")], RECEIPT)
        duplicate = Duplicate(ingest_time=INGESTED, request_id="again", position=number) if number % 3 == 0 else None
        found.append(message_of("replay-1", "billing", event, duplicate))
    return found


@given(rng=randoms)
def test_however_outcomes_are_reported_each_message_counts_once(rng: Random) -> None:
    consumer = Consumer(rng, messages_of(range(MESSAGES)), messages_of(range(100, 110)))

    for _ in range(rng.randint(1, 8)):
        consumer.report()
        outcomes = list(consumer.expected.values())
        assert consumer.aggregates.progress["replay-1"] == Counts(
            processed=outcomes.count(Outcome.DONE), failed=outcomes.count(Outcome.FAILED)
        )
    consumer.settle()

    assert consumer.aggregates.progress["replay-1"] == Counts(processed=MESSAGES)
    recorded = {each: consumer.aggregates.outcome(record_of(each, Outcome.DONE).key) for each in consumer.sent}
    assert set(recorded.values()) == {Outcome.DONE}
    assert consumer.aggregates.versions_written == {}


@pytest.mark.parametrize("reason", ["no such account", None])
def test_the_reason_of_a_failure_is_kept(reason: str | None) -> None:
    [message] = messages_of(range(1, 2))
    consumer = Consumer(Random(0), [message], [])
    outcome = ReportedOutcome(event_id=message.event_id, outcome="failed", reason=reason)

    recorder = RecordInLedger(consumer.aggregates, at(), no_pause)
    RecordReportedOutcomes(consumer.jobs, recorder, BILLING).record(
        "replay-1", OutcomesReport(outcomes=(outcome,)), None
    )

    [entry] = consumer.aggregates.entries.values()
    assert (entry.outcome, entry.reason) == (Outcome.FAILED, reason)
