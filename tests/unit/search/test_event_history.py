"""Investigation: an event is shown with all that became of it, and its text only if it is what was stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest

from chalicelib.core.errors import IntegrityFailure, NotFound
from chalicelib.core.ports import Delivery
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.processing.fetcher import FetchAndVerify
from chalicelib.processing.processor import ProcessBatch
from chalicelib.processing.recorder import RecordInLedger
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.job import JobState
from chalicelib.replays.messages import message_of
from chalicelib.search.use_cases import InvestigateEvent
from tests.unit.examples import INGESTED, RECEIPT, an_event, native
from tests.unit.in_memory import Bucket, Rows, at, no_pause, one_by_one
from tests.unit.ledger_in_memory import Aggregates, States


@dataclass
class World:
    """Ingested events, and who investigates them."""

    bucket: Bucket = field(default_factory=Bucket)
    rows: Rows = field(default_factory=Rows)
    aggregates: Aggregates = field(default_factory=Aggregates)

    @property
    def investigate(self) -> InvestigateEvent:
        return InvestigateEvent(self.rows, self.rows, self.bucket, self.aggregates, one_by_one)

    def ingest(self, payload: int) -> StoredEvent:
        [stored] = self.bucket.put_once([an_event(payload=payload)], RECEIPT)
        self.rows.admit([stored], "request", stored.ingest_time)
        return stored

    def replay(self, replay_id: str, event: StoredEvent) -> None:
        recorder = RecordInLedger(self.aggregates, at(), no_pause)
        processor = ProcessBatch(FetchAndVerify(self.bucket, one_by_one), States({replay_id: JobState.SENT}), recorder)
        processor.process(
            [Delivery("message", "receipt", message_of(replay_id, TO_AGGREGATES, event).model_dump_json())]
        )


def test_an_event_is_shown_with_its_later_arrivals() -> None:
    world = World()
    event, other = world.ingest(1), world.ingest(2)
    arrivals = [
        Arrival(ArrivalKind.DUPLICATE, arrived.event_id, INGESTED, "again", 0, arrived.content_sha256)
        for arrived in (event, other)
    ]
    world.rows.record(arrivals)

    history = world.investigate.history(event.event_id)

    assert history.event == event
    assert history.arrivals == (arrivals[0],)


def test_an_event_is_shown_with_the_aggregates_it_went_into_and_no_others() -> None:
    world = World()
    event, other = world.ingest(1), world.ingest(2)
    world.replay("replay-1", event)
    world.replay("replay-2", other)
    world.replay("replay-3", event)

    assert [version.replay_id for version in world.investigate.history(event.event_id).aggregates] == [
        "replay-3",
        "replay-1",
    ]


def test_an_event_has_the_text_that_was_sent() -> None:
    world = World()

    line = world.investigate.raw_line(world.ingest(1).event_id)

    assert json.loads(line.event) == native(payload=1)


def test_an_event_that_was_changed_in_storage_is_not_shown() -> None:
    world = World()
    event = world.ingest(1)
    kept = world.bucket.objects[event.location.key]
    world.bucket.objects[event.location.key] = kept.replace(b'"payload": 1', b'"payload": 2')

    with pytest.raises(IntegrityFailure):
        world.investigate.raw_line(event.event_id)


def test_an_event_is_not_another_one_that_stands_in_its_place() -> None:
    world = World()
    event, other = world.ingest(1), world.ingest(2)
    world.rows.by_id[event.event_id] = (replace(event, location=other.location), "request")

    with pytest.raises(IntegrityFailure, match="does not contain"):
        world.investigate.raw_line(event.event_id)


def test_an_event_that_is_not_there_is_not_found() -> None:
    world = World()

    with pytest.raises(NotFound):
        world.investigate.history("0" * 64)
    with pytest.raises(NotFound):
        world.investigate.raw_line("0" * 64)
