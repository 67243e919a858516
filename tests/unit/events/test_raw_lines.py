"""Lines of many events: read with few requests, each verified, and one that is bad loses no other."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import IntegrityFailure, RawObjectMissing, TryAgain
from chalicelib.events.raw_lines import GAP_BYTES, joined, lines_of
from chalicelib.events.raw_objects import RawLocation, StoredEvent
from tests.unit.examples import RECEIPT, an_event
from tests.unit.in_memory import BUCKET, Bucket, at_once, one_by_one

OBJECTS = 3
AN_OBJECT = 4


def taken_in(bucket: Bucket) -> list[StoredEvent]:
    """Twelve events in three raw objects."""
    numbers = range(OBJECTS * AN_OBJECT)
    groups = [numbers[start : start + AN_OBJECT] for start in numbers[::AN_OBJECT]]
    return [stored for group in groups for stored in bucket.put_once([an_event(payload=n) for n in group], RECEIPT)]


def payloads(bucket: Bucket, events: Sequence[StoredEvent]) -> list[bytes | type]:
    """The end of each event's text, or the class of its error."""
    lines = lines_of(events, bucket.read, one_by_one)
    return [type(line) if isinstance(line, Exception) else line.event.rpartition(b" ")[2][:-1] for line in lines]


@given(st.randoms(use_true_random=False))
def test_each_event_gets_its_own_line_in_the_order_of_the_events(rng: Random) -> None:
    bucket = Bucket()
    events = taken_in(bucket)
    some = rng.sample(events, rng.randint(0, len(events)))

    lines = lines_of(some, bucket.read, at_once(rng))

    assert [getattr(line, "event_id", line) for line in lines] == [event.event_id for event in some]


def test_each_object_is_read_once() -> None:
    bucket = Bucket()

    payloads(bucket, taken_in(bucket))

    assert bucket.reads == OBJECTS


@pytest.mark.parametrize(("gap", "requests"), [(0, 1), (GAP_BYTES, 1), (GAP_BYTES + 1, 2)])
def test_lines_are_read_together_unless_more_than_a_gap_lies_between(gap: int, requests: int) -> None:
    lines = [RawLocation(BUCKET, "one", 100 + gap, 5), RawLocation(BUCKET, "one", 0, 100)]

    assert len(list(joined(lines))) == requests
    assert len(list(joined([*lines, RawLocation(BUCKET, "other", 50, 5)]))) == requests + 1


def test_a_lost_object_takes_no_event_of_another_with_it() -> None:
    bucket = Bucket()
    events = taken_in(bucket)
    del bucket.objects[events[0].location.key]

    assert payloads(bucket, events) == [RawObjectMissing] * AN_OBJECT + [b"%d" % n for n in range(4, 12)]


def test_a_changed_line_takes_no_other_of_its_object_with_it() -> None:
    bucket = Bucket()
    events = taken_in(bucket)
    key = events[0].location.key
    bucket.objects[key] = bucket.objects[key].replace(b'"payload": 1}', b'"payload": 9}')

    assert payloads(bucket, events[:AN_OBJECT]) == [b"0", IntegrityFailure, b"2", b"3"]


def test_a_line_of_another_event_is_not_taken_for_the_event() -> None:
    bucket = Bucket()
    events = taken_in(bucket)
    first, second = bucket.objects[events[0].location.key].splitlines()[:2]
    assert len(first) == len(second)
    key = events[0].location.key
    bucket.objects[key] = bucket.objects[key].replace(first, second, 1)

    assert payloads(bucket, events[:2]) == [IntegrityFailure, b"1"]


def test_a_store_that_is_busy_is_told_of_all_events() -> None:
    class Busy(Bucket):
        def read(self, location: RawLocation) -> bytes:
            raise TryAgain("S3 is busy.")

    bucket = Busy()
    with pytest.raises(TryAgain):
        lines_of(taken_in(bucket), bucket.read, one_by_one)
