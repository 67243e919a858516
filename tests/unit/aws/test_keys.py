"""Keys: no two values share one, and their order is the order of what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Version
from chalicelib.aggregates.dynamodb_rows import message_sort_key, partition_of_inputs
from chalicelib.aggregates.ledger import MessageKey
from chalicelib.aws import keys, replay_keys
from chalicelib.core.percent_encoding import for_key, for_path
from chalicelib.core.timestamps import Day, Instant, end_of, parse_instant
from chalicelib.replays.messages import Duplicate
from tests.unit.examples import hashes, instants
from tests.unit.json_trees import texts

# Everything that separators and escapes are made of, and the words that keys are made of, over and over.
_pieces = st.sampled_from(
    ["#", "%", "23", "25", "%23", "%25", "TYPE", "DAY", "VER", "/", "=", ".", "a", "é", "~", "\x00"]
)
values = st.lists(_pieces, max_size=5).map("".join) | texts
days = st.dates().map(lambda day: Day(day.isoformat()))
times = instants().map(parse_instant)
shards = st.integers(0, 63)
versions = st.builds(Version, values, days, values, calendar=values)
duplicates = st.builds(
    Duplicate,
    ingest_time=times,
    request_id=values.filter(bool).map(lambda text: text[:80]),
    position=st.integers(0, 999),
)
message_keys = st.builds(MessageKey, times, hashes, st.none() | duplicates)
lags = st.integers(0, 315_537_897_599_999) | st.sampled_from([0, 9_000, 20_000, 10**14])


def arrival(conflict: bool, ingest_time: Instant, request_id: str, position: int) -> str:  # noqa: FBT001  # drawn
    return keys.arrival(ingest_time, request_id, position, conflict=conflict)


def superseded(source: str, day: Day, name: str, offset: int) -> str:
    return keys.superseded(keys.raw_object(source, day, day, name), offset)


BUILDERS: list[tuple[Callable[..., str], tuple[st.SearchStrategy[Any], ...]]] = [
    (for_key, (values,)),
    (for_path, (values,)),
    (keys.raw_object, (values, days, days, hashes)),
    (keys.rejected_object, (st.builds("{}.{}".format, days, hashes),)),
    (superseded, (values, days, hashes, st.integers(0, 10_000_000))),
    (keys.entity, (values,)),
    (keys.event, (times, hashes)),
    (keys.type_and_day, (values, values, days, shards)),
    (keys.late_day, (values, values, days, shards)),
    (keys.lag, (lags, hashes)),
    (keys.arrivals, (hashes,)),
    (arrival, (st.booleans(), times, values, st.integers(0, 999))),
    (replay_keys.replay, (values,)),
    (replay_keys.touched_days, (values,)),
    (replay_keys.touched_day, (values, days)),
    (replay_keys.idempotency_key, (values,)),
    (partition_of_inputs, (versions,)),
    (message_sort_key, (message_keys,)),
]


def lookalikes(value: Any) -> st.SearchStrategy[Any]:
    """What a value would look like if it had been encoded once more, once less, or in part."""
    if not isinstance(value, str) or value[:4].isdigit():
        return st.nothing()
    encoded = [value.replace(plain, code) for plain, code in (("%", "%25"), ("#", "%23"), ("/", "%2F"))]
    return st.sampled_from([*encoded, quote(value), unquote(value, errors="surrogateescape")]).filter(str.isprintable)


@pytest.mark.parametrize(("build", "parts"), BUILDERS, ids=lambda value: getattr(value, "__name__", ""))
@given(data=st.data())
def test_no_two_values_share_a_key(
    build: Callable[..., str], parts: tuple[st.SearchStrategy[Any], ...], data: st.DataObject
) -> None:
    one = [data.draw(part) for part in parts]
    # Like the first in all parts but some, so that a part that is left out of the key shows.
    other = [data.draw(st.just(same) | lookalikes(same) | part) for same, part in zip(one, parts, strict=True)]

    assert (build(*one) == build(*other)) == (one == other)


# How each key that is made of several values would read if nothing in them were encoded: the same for every cut.
CUTS: dict[str, Callable[[str, str], str]] = {
    "#TYPE#": lambda source, event_type: keys.type_and_day(source, event_type, Day("2026-11-21"), 0),
    "#TYPE": lambda source, event_type: keys.late_day(source, f"#{event_type}", Day("2026-11-21"), 0),
    "#P1D#UTC#2026-11-21#VER#": lambda entity, replay: keys.inputs(entity, Day("2026-11-21"), replay),
}


@pytest.mark.parametrize("separator", CUTS)
@given(parts=st.lists(values, min_size=2, max_size=5), data=st.data())
def test_no_value_can_end_its_part_of_a_key_and_begin_the_next(
    separator: str, parts: list[str], data: st.DataObject
) -> None:
    cut, other_cut = (data.draw(st.integers(1, len(parts) - 1)) for _ in range(2))

    def key(at: int) -> str:
        return CUTS[separator](separator.join(parts[:at]), separator.join(parts[at:]))

    assert (key(cut) == key(other_cut)) == (cut == other_cut)


def rest_of(key: str, other: str) -> list[str]:
    """Names with which the other key would be this one, if they were not encoded, or encoded less."""
    rest = key.removeprefix(other)
    return [rest, unquote(rest)]


@given(versions, values)
def test_the_inputs_of_a_version_are_in_no_entitys_partition(version: Version, entity_id: str) -> None:
    """Not even in that of an entity named like the rest of their own partition."""
    inputs = partition_of_inputs(version)

    assert inputs not in {keys.entity(name) for name in [entity_id, *rest_of(inputs, keys.entity(""))]}


@given(values)
def test_a_replay_can_be_read_back_from_its_partition(replay_id: str) -> None:
    assert replay_keys.replay_id_of(replay_keys.replay(replay_id)) == replay_id


@given(values, values)
def test_jobs_found_days_outboxes_and_idempotency_keys_are_in_partitions_of_their_own(one: str, other: str) -> None:
    kinds = (replay_keys.replay, replay_keys.touched_days, replay_keys.outbox, replay_keys.idempotency_key)
    partitions = {kind: kind(other) for kind in kinds}

    for kind in kinds:
        alike = [name for partition in partitions.values() for name in rest_of(partition, kind(""))]
        others = {partition for another, partition in partitions.items() if another is not kind}
        assert others.isdisjoint(kind(name) for name in [one, other, *alike])


@given(values, hashes)
def test_an_entitys_partition_is_no_events(entity_id: str, event_id: str) -> None:
    assert keys.entity(entity_id) != keys.arrivals(event_id)


@given(versions, versions)
def test_an_entitys_versions_of_a_day_are_found_by_their_beginning(one: Version, other: Version) -> None:
    sort_keys = [keys.aggregate_version(each.day, each.replay_id, each.calendar) for each in (one, other)]
    found = sort_keys[0].startswith(keys.aggregate_versions(other.day, other.calendar))

    assert found == ((one.day, one.calendar) == (other.day, other.calendar))
    assert (sort_keys[0] == sort_keys[1]) == (found and one.replay_id == other.replay_id)


@given(values)
def test_a_value_in_a_path_can_be_read_back(value: str) -> None:
    assert unquote(for_path(value)) == value
    assert set(for_path(value)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


@given(values)
def test_a_value_in_a_key_stays_readable_but_for_the_separator(value: str) -> None:
    assert "#" not in for_key(value)
    assert for_key(value).replace("%23", "#").replace("%25", "%") == value


def test_the_keys_of_stored_data_are_what_they_were_yesterday() -> None:
    day, event_id = Day("2026-11-21"), "ab" * 32
    time = Instant("2026-11-21T10:00:00.000000000Z")
    version = Version("order#1", day, "r-1")

    assert [
        keys.raw_object("shop/checkout", day, Day("2026-11-22"), "name"),
        keys.rejected_object("2026-11-22.abc"),
        keys.rejected_object("2026-11-22.abc", conflict=True),
        keys.superseded(keys.raw_object("shop/checkout", day, Day("2026-11-22"), "name"), 414),
        keys.entity("order#1"),
        keys.event(time, event_id),
        keys.type_and_day("shop#1", "paid#%", day, 3),
        keys.late_day("shop#1", "paid#%", day, 3),
        keys.lag(20_000, event_id),
        keys.arrivals(event_id),
        keys.arrival(time, "req", 7, conflict=False),
        keys.arrival(time, "req", 7, conflict=True),
        keys.aggregate_version(version.day, version.replay_id),
        keys.aggregate_version(version.day, version.replay_id, "Europe/Paris"),
        partition_of_inputs(version),
        replay_keys.replay("r#1"),
        replay_keys.touched_days("r#1"),
        replay_keys.touched_day("order#1", day),
        replay_keys.idempotency_key("k#1"),
        message_sort_key(MessageKey(time, event_id)),
        message_sort_key(MessageKey(time, event_id, Duplicate(ingest_time=time, request_id="req#1", position=7))),
    ] == [
        "raw/source=shop%2Fcheckout/event_date=2026-11-21/ingest_date=2026-11-22/name.ndjson",
        "rejected/ingest_date=2026-11-22/abc.json",
        "rejected/ingest_date=2026-11-22/abc.conflict.json",
        "superseded/source=shop%2Fcheckout/event_date=2026-11-21/ingest_date=2026-11-22/name/414.json",
        "ENTITY#order%231",
        f"TS#2026-11-21T10:00:00.000000000Z#EID#{event_id}",
        "SRC#shop%231#TYPE#paid%23%25#DAY#2026-11-21#3",
        "SRC#shop%231#TYPE#paid%23%25#ARRIVED#2026-11-21#3",
        f"LAG#000000000020000#EID#{event_id}",
        f"EVENT#{event_id}",
        "DUP#2026-11-21T10:00:00.000000000Z#req#000007",
        "CONFLICT#2026-11-21T10:00:00.000000000Z#req#000007",
        "P1D#UTC#2026-11-21#VER#r-1",
        "P1D#Europe/Paris#2026-11-21#VER#r-1",
        "ENTITY#order%231#P1D#UTC#2026-11-21#VER#r-1",
        "REPLAY#r%231",
        "REPLAY#r%231#DAYS",
        f"DAY#2026-11-21#{sha256(b'order#1').hexdigest()}",
        "KEY#k%231",
        f"TS#2026-11-21T10:00:00.000000000Z#EID#{event_id}",
        f"TS#2026-11-21T10:00:00.000000000Z#EID#{event_id}#DUP#2026-11-21T10:00:00.000000000Z#req%231#000007",
    ]


class TestOrder:
    @given(st.tuples(times, hashes), st.tuples(times, hashes))
    def test_of_events_is_by_time_and_then_id(self, one: tuple[Instant, str], other: tuple[Instant, str]) -> None:
        assert (keys.event(*one) < keys.event(*other)) == (one < other)

    @given(st.tuples(lags, hashes), st.tuples(lags, hashes))
    def test_of_late_arrivals_is_by_lag(self, one: tuple[int, str], other: tuple[int, str]) -> None:
        assert (keys.lag(*one) < keys.lag(*other)) == (one < other)
        assert len(keys.lag(*one)) == len(keys.lag(*other))

    @given(times, hashes, times)
    def test_puts_a_windows_bounds_below_the_events_at_them(
        self, event: Instant, event_id: str, bound: Instant
    ) -> None:
        assert (keys.from_instant(bound) < keys.event(event, event_id)) == (bound <= event)

    @given(hashes)
    def test_knows_an_end_of_the_last_day(self, event_id: str) -> None:
        last = Instant("9999-12-31T23:59:59.999999999Z")

        assert keys.event(last, event_id) < keys.from_instant(end_of(Day("9999-12-31")))

    @given(st.tuples(days, values), st.tuples(days, values))
    def test_of_found_days_is_by_day(self, one: tuple[Day, str], other: tuple[Day, str]) -> None:
        first, second = (replay_keys.touched_day(entity_id, day) for day, entity_id in (one, other))

        assert replay_keys.before_touched_days() < min(first, second)
        if one[0] != other[0]:
            assert (first < second) == (one[0] < other[0])
            assert (keys.just_after(first) < second) == (first < second)

    @given(message_keys, message_keys)
    def test_of_a_versions_messages_is_by_event_and_that_of_its_later_arrivals_after_it(
        self, one: MessageKey, other: MessageKey
    ) -> None:
        events = [(key.event_time, key.event_id) for key in (one, other)]

        if events[0] != events[1]:
            assert (message_sort_key(one) < message_sort_key(other)) == (events[0] < events[1])
        assert keys.event(*events[0]) <= message_sort_key(one) < keys.just_after(keys.event(*events[0]))

    @given(times, times, hashes, hashes)
    def test_of_arrivals_is_by_time(self, one: Instant, other: Instant, request: str, later: str) -> None:
        first, second = (
            keys.arrival(time, request_id, 5, conflict=False) for time, request_id in ((one, request), (other, later))
        )

        assert (first < second) == ((one, request) < (other, later))


class TestShards:
    @given(hashes, st.integers(1, 64))
    def test_are_among_those_there_are(self, event_id: str, count: int) -> None:
        assert 0 <= keys.shard_of(event_id, count) < count

    def test_are_all_used(self) -> None:
        ids = [f"{number * 0x9E3779B9 % 2**32:08x}" + "0" * 56 for number in range(1_000)]

        assert {keys.shard_of(event_id, 7) for event_id in ids} == set(range(7))
        assert {replay_keys.progress(event_id) for event_id in ids} == {f"PROGRESS#{shard:02}" for shard in range(64)}
