"""Ingest: each event once, wherever it crashes, and nothing acknowledged that is not durable."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import OutOfTime, TryAgain
from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Instant, parse_instant
from chalicelib.events.arrivals import ArrivalKind, Status
from chalicelib.events.event import Event, parse_native
from chalicelib.events.raw_objects import MAX_RAW_OBJECT_BYTES, Receipt, StoredEvent, parse_line, verify
from chalicelib.ingest.report import EventResult, IngestReport
from chalicelib.ingest.request import IngestRequest, parse_request
from chalicelib.ingest.use_cases import Ingest
from tests.sizes import times
from tests.unit.examples import SENT_BY, native
from tests.unit.in_memory import Bucket, QuarantineInMemory, Rows, SourcesInMemory, Troubles, at_once, copy_of
from tests.unit.json_trees import randoms

P = TypeVar("P")

# Two of the four share an idempotency key, two others their day; the last two are not valid.
POOL = [
    native(payload=1),
    native(payload="ü", event_time="2026-11-20T00:00:00Z"),
    native(payload=1, idempotency_key="k"),
    native(payload=2, idempotency_key="k", entity_id="order-1"),
    {"source": "shop"},
    native(event_time="2026-11-21"),
]


@dataclass
class World:
    """Storage, and Ingest before it."""

    bucket: Bucket = field(default_factory=Bucket)
    sources: SourcesInMemory = field(default_factory=SourcesInMemory)
    rows: Rows = field(default_factory=Rows)
    quarantine: QuarantineInMemory = field(default_factory=QuarantineInMemory)
    troubles: Troubles = field(default_factory=Troubles)
    rng: Random = field(default_factory=lambda: Random(0))  # nothing is kept secret with it
    ticks: count[int] = field(default_factory=lambda: count(0))
    events_a_part: int = 2

    def now(self) -> Instant:
        """A clock that passes midnight now and then."""
        tick = next(self.ticks)
        return parse_instant(f"2026-11-{22 + tick // 4:02}T{20 + tick % 4}:00:00Z")

    @property
    def ingest(self) -> Ingest:
        rows = self.troubles.beset(self.rows)
        quarantine = self.troubles.beset(self.quarantine)
        return Ingest(
            self.troubles.beset(self.bucket),
            self.troubles.beset(self.sources),
            rows,
            rows,
            quarantine,
            self.now,
            at_once(self.rng),
            self.events_a_part,
        )

    def send(self, *events: object, request_id: str = "request") -> list[EventResult]:
        return list(self.ingest.take_in(request(*events), request_id, SENT_BY).results)

    def event_at(self, stored: StoredEvent) -> bytes:
        line = parse_line(self.bucket.read(stored.location))
        verify(line)
        assert (line.event_id, line.ingest_time, line.event_time) == (
            stored.event_id,
            stored.ingest_time,
            stored.event_time,
        )
        return line.event


def request(*events: object) -> IngestRequest:
    return parse_request(json.dumps(events, ensure_ascii=False).encode(), "application/json", None)


def statuses(results: list[EventResult]) -> list[Status]:
    return [result.status for result in results]


@settings(max_examples=times(150))
@given(
    st.lists(st.lists(st.sampled_from(POOL), min_size=1, max_size=5), min_size=1, max_size=5),
    st.lists(st.sampled_from(["none", "none", "refused", "lost"]), max_size=20),
    randoms,
)
def test_each_event_is_accepted_once_and_kept_wherever_it_crashes(
    requests: list[list[object]], troubles: list[str], rng: Random
) -> None:
    """Producers send again until they are answered; look-ups are stale; calls fail before or after they are done."""
    world = World(rng=rng, troubles=Troubles(iter(troubles)))
    world.rows.forgets = lambda event_id: rng.random() < 0.5
    attempts = count()
    answers: list[tuple[IngestRequest, IngestReport]] = []
    for _ in range(len(requests) + len(troubles)):
        if not requests:
            break
        events = requests.pop(rng.randrange(len(requests)))
        submitted = request(*events)
        try:
            answers.append((submitted, world.ingest.take_in(submitted, f"request-{next(attempts)}", SENT_BY)))
        except TryAgain:
            requests.append(events)
    assert requests == []

    results = [
        (submission, result)
        for submitted, report in answers
        for submission, result in zip(submitted.submissions, report.results, strict=True)
    ]
    for submission, result in results:
        if isinstance(submission, Event):
            first, _ = world.rows.by_id[submission.event_id]
            same = first.content_sha256 == submission.content_sha256
            assert result.stored == first
            assert (result.status is Status.CONFLICT) == (not same)
            if same:
                assert json.loads(world.event_at(first)) == json.loads(submission.text)
        else:
            assert result.status is Status.REJECTED
        assert result.refused == (result.rejected_id in world.quarantine.kept)
    assert {(event.source, event.event_type) for event, _ in world.rows.by_id.values()} <= world.sources.seen.keys()
    for event_id in world.rows.by_id:
        accepted = [
            result
            for submission, result in results
            if isinstance(submission, Event) and submission.event_id == event_id and result.status is Status.ACCEPTED
        ]
        assert len(accepted) == 1 or (not accepted and set(troubles) - {"none"})


def test_no_row_is_written_before_the_raw_object() -> None:
    world = World(troubles=Troubles(iter(["none", "refused"])))

    with pytest.raises(TryAgain):
        world.send(native())

    assert world.rows.by_id == {}
    assert statuses(world.send(native(), request_id="again")) == [Status.ACCEPTED]


def test_a_retry_keeps_the_ingest_time_of_the_raw_object_it_finds() -> None:
    world = World(troubles=Troubles(iter(["none", "lost"])))
    first_try = "2026-11-22T20:00:00.000000000Z"
    with pytest.raises(TryAgain):
        world.send(native())

    [result] = world.send(native(), request_id="again")

    assert len(world.bucket.objects) == 1
    assert result.stored is not None
    assert result.stored.ingest_time == first_try
    assert json.loads(world.event_at(result.stored)) == native()


class TestOneRequest:
    def test_accepts_what_it_holds_twice_once(self) -> None:
        world = World()

        results = world.send(native(), native(payload=2), native())

        assert statuses(results) == [Status.ACCEPTED, Status.ACCEPTED, Status.DUPLICATE]
        assert results[0].stored == results[2].stored

    def test_finds_its_own_conflicts(self) -> None:
        world = World()

        accepted, conflict = world.send(native(payload=1, idempotency_key="k"), native(payload=2, idempotency_key="k"))

        assert (accepted.status, conflict.status) == (Status.ACCEPTED, Status.CONFLICT)
        assert conflict.stored == accepted.stored
        assert [fault.field for fault in conflict.faults] == ["idempotency_key"]
        assert conflict.rejected_id is not None
        assert json.loads(world.quarantine.kept[conflict.rejected_id].body)["payload"] == 2

    def test_writes_one_object_for_each_source_and_day(self) -> None:
        world = World()

        world.send(
            native(payload=1),
            native(payload=2, event_time="2026-11-21T00:00:00Z"),
            native(payload=3, event_time="2026-11-22T00:00:00Z"),
            native(payload=4, source="web"),
        )

        assert sorted(key.split("/2026")[0] for key in world.bucket.objects) == [
            "shop/checkout",
            "shop/checkout",
            "web",
        ]

    def test_with_nothing_in_it_does_nothing(self) -> None:
        world = World()

        assert world.send() == []
        assert (world.bucket, world.rows.by_id, world.rows.recorded) == (Bucket(), {}, [])


@dataclass
class Time:
    """What an invocation has left, as what is done for each event takes some of it; and how often parts were stored."""

    an_event: Callable[[], float]
    left_s: float = 0
    puts: Counter[str] = field(default_factory=Counter)

    def limits(self, port: P) -> P:
        """The port, whose calls begin only if they may take seven seconds, and take their time."""
        return cast("P", _Timed(port, self))

    def answer(self, ask: Callable[[], IngestReport]) -> IngestReport | None:
        """The answer of an invocation; None if its time did not suffice."""
        self.left_s = 29
        try:
            return ask()
        except OutOfTime:
            return None

    def passes(self, events: int) -> None:
        if self.left_s < 7:
            raise OutOfTime("the call would come too late")
        self.left_s -= sum(self.an_event() for _ in range(events))
        assert self.left_s > 0, "Lambda ended the function"


class _Timed:
    def __init__(self, port: Any, time: Time) -> None:
        self._port, self._time = port, time

    def first_seen(self, event_ids: Sequence[str]) -> Any:
        self._time.passes(1)
        return self._port.first_seen(event_ids)

    def put_once(self, events: Sequence[Event], receipt: Receipt) -> Any:
        self._time.puts[events[0].event_id] += 1
        self._time.passes(len(events))
        return self._port.put_once(events, receipt)

    def admit(self, events: Sequence[StoredEvent], written_by: str, received_at: Instant) -> Any:
        self._time.passes(len(events))
        return self._port.admit(events, written_by, received_at)


class TestManyEvents:
    def test_are_stored_in_parts_whose_objects_a_resend_finds(self) -> None:
        events = [native(payload=number) for number in range(7)]
        world, again = World(events_a_part=3), World(events_a_part=3)

        results = world.send(*events)
        again.send(*events, request_id="again")

        assert statuses(results) == [Status.ACCEPTED] * 7
        assert [json.loads(world.event_at(result.stored))["payload"] for result in results] == list(range(7))  # type: ignore[arg-type]
        assert sorted(content.count(b"\n") for content in world.bucket.objects.values()) == [1, 3, 3]
        assert world.bucket.objects.keys() == again.bucket.objects.keys()

    def test_say_how_many_are_stored_if_the_time_is_over(self) -> None:
        world = World(events_a_part=2)
        time = Time(lambda: 4, left_s=29)
        slow = replace(world.ingest, identities=time.limits(world.rows))

        with pytest.raises(OutOfTime, match=r"at least 4 of 5 events stored. Send the request again"):
            slow.take_in(request(*(native(payload=each) for each in range(5))), "request", SENT_BY)

    def test_are_deduplicated_across_parts(self) -> None:
        world = World(events_a_part=2)
        first, other = (native(payload=number, idempotency_key="k") for number in (1, 2))

        results = world.send(first, native(payload=3), native(payload=4), other, first)

        assert statuses(results)[0::3] == [Status.ACCEPTED, Status.CONFLICT]
        assert results[4].status is Status.DUPLICATE
        assert len(world.rows.by_id) == 3

    def test_make_no_object_that_is_too_large_to_be_read(self) -> None:
        world = World(events_a_part=1_000)
        sizes = [9_000_000, 4_000_000, 4_500_000, 5_000_000, 1]

        events = (parse_native(parse(json.dumps(native(payload="x" * size)))) for size in sizes)
        world.ingest.take_in(IngestRequest(tuple(events), batch=True), "request", SENT_BY)

        assert len(world.rows.by_id) == 5
        assert len(world.bucket.objects) == 2
        assert max(map(len, world.bucket.objects.values())) <= MAX_RAW_OBJECT_BYTES

    @given(st.integers(20, 200), randoms)
    def test_get_further_with_each_resend_until_all_are_stored_however_slow_storage_is(
        self, number: int, rng: Random
    ) -> None:
        world, slowest = World(rng=rng, events_a_part=10), rng.uniform(0.01, 0.6)
        time = Time(lambda: rng.uniform(0, slowest))
        slow = replace(world.ingest, raw=time.limits(world.bucket), identities=time.limits(world.rows))
        submitted = request(*(native(payload=each) for each in range(number)))

        stored = [0]
        while (report := time.answer(lambda: slow.take_in(submitted, f"request-{len(stored)}", SENT_BY))) is None:
            stored.append(len(world.rows.by_id))
            assert stored[-1] > stored[-2]

        counts = report.counts()
        assert len(world.rows.by_id) == number
        assert (counts["accepted"], counts["duplicate"]) == (number - stored[-1], stored[-1])
        assert max(time.puts.values()) <= 2  # again if there was no time left for the rows

    def test_get_further_with_each_resend_if_every_event_needs_an_object_of_its_own(self) -> None:
        world, time = World(events_a_part=100), Time(lambda: 0.3)
        slow = replace(world.ingest, raw=time.limits(world.bucket))
        submitted = request(*(native(source=f"shop-{each}") for each in range(100)))

        answers = [time.answer(lambda: slow.take_in(submitted, "request", SENT_BY)) for _ in range(3)]

        assert answers[-1] is not None
        assert len(world.rows.by_id) == len(world.bucket.objects) == 100


class TestLaterArrivals:
    def test_are_recorded_and_change_nothing_else(self) -> None:
        world = World()
        world.send(native(payload=1, idempotency_key="k"), request_id="first")
        bucket, by_id = copy_of(world.bucket), copy_of(world.rows.by_id)

        results = world.send(
            native(payload=1, idempotency_key="k"), native(payload=2, idempotency_key="k"), request_id="second"
        )

        assert (world.bucket, world.rows.by_id) == (bucket, by_id)
        assert [(seen.kind, seen.request_id, seen.position) for seen in world.rows.recorded] == [
            (ArrivalKind.DUPLICATE, "second", 0),
            (ArrivalKind.CONFLICT, "second", 1),
        ]
        assert world.rows.recorded[1].rejected_id == results[1].rejected_id

    def test_of_an_accepted_event_are_none(self) -> None:
        world = World()
        world.send(native())

        assert world.rows.recorded == []


class TestDryRun:
    @given(st.lists(st.sampled_from(POOL), max_size=5), st.lists(st.sampled_from(POOL), max_size=5), randoms)
    def test_tells_what_would_become_and_changes_nothing(
        self, earlier: list[object], events: list[object], rng: Random
    ) -> None:
        world = World(rng=rng)
        world.send(*earlier, request_id="earlier")
        before = copy_of((world.bucket.objects, world.rows.by_id, world.rows.recorded, world.quarantine.kept))
        world.ticks = count(7)

        foretold = world.ingest.dry_run(request(*events), "real", SENT_BY)

        assert (world.bucket.objects, world.rows.by_id, world.rows.recorded, world.quarantine.kept) == before
        world.ticks = count(7)
        real = world.send(*events, request_id="real")
        assert foretold.dry_run
        assert [(result.status, result.stored, result.faults) for result in foretold.results] == [
            (result.status, result.stored, result.faults) for result in real
        ]

    def test_keeps_nothing_in_quarantine(self) -> None:
        [result] = World().ingest.dry_run(request({}), "real", SENT_BY).results

        assert result.rejected_id is None
