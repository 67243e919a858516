"""Identity: the same tokens are the same event, any other token is another, and no key can pass for another."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.events.event import Event, event_id_of
from tests.unit.examples import an_event, event_in, hashes, names, natives
from tests.unit.json_trees import Members, Num, changes, numbers, randoms, texts, write


def identity(event: Event) -> tuple[str, str]:
    return event.event_id, event.content_sha256


@given(natives(), randoms)
def test_an_event_written_in_another_way_is_the_same_event(native: Members, rng: Random) -> None:
    one, other = event_in(write(native, rng)), event_in(write(native, rng))

    assert identity(one) == identity(other)


@given(natives(), names, randoms)
def test_so_is_an_event_with_an_idempotency_key(native: Members, key: str, rng: Random) -> None:
    keyed: Members = {**native, "idempotency_key": key}
    one, other = event_in(write(keyed, rng)), event_in(write(keyed, rng))
    without = event_in(write(native, rng))

    assert identity(one) == identity(other)
    assert one.event_id == event_id_of(one.source, key, "")
    assert one.event_id != without.event_id
    assert one.content_sha256 == without.content_sha256


@given(natives(), randoms)
def test_an_event_with_any_token_of_its_payload_changed_is_another_event(native: Members, rng: Random) -> None:
    event = event_in(write(native, rng))

    for payload in changes(native["payload"]):
        changed = event_in(write({**native, "payload": payload}, rng))
        assert changed.event_id != event.event_id
        assert changed.content_sha256 != event.content_sha256


@pytest.mark.parametrize("field", ["source", "event_type", "entity_id"])
@given(native=natives(), other=names, rng=randoms)
def test_an_event_with_other_metadata_is_another_event(field: str, native: Members, other: str, rng: Random) -> None:
    changed = event_in(write({**native, field: other}, rng))

    assert (identity(changed) == identity(event_in(write(native, rng)))) == (other == native[field])


def test_metadata_does_not_run_together() -> None:
    assert identity(an_event(source="ab", event_type="c")) != identity(an_event(source="a", event_type="bc"))


@given(numbers, numbers, randoms)
def test_numbers_are_the_same_only_if_they_are_written_the_same(one: Num, other: Num, rng: Random) -> None:
    first, second = (event_in(write({**NATIVE, "payload": payload}, rng)) for payload in (one, other))

    assert (identity(first) == identity(second)) == (one == other)


NATIVE: Members = {
    "source": "shop/checkout",
    "event_type": "order.paid",
    "entity_id": "order-1007",
    "event_time": "2026-11-21T23:59:59.5Z",
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.10", "1.1"),
        ("1", "1.0"),
        ("1e2", "1E2"),
        ("0", "-0"),
        ("9007199254740993", "9007199254740992"),
        ("12345678901234567890", "1.2345678901234567890e19"),
        ("1", '"1"'),
        ("null", '"null"'),
        ("[1,2]", "[2,1]"),
        ("[]", "{}"),
        ('{"a":null}', "{}"),
        ('"é"', '"e\u0301"'),
    ],
)
def test_payloads_that_a_careless_parser_would_confuse_stay_apart(one: str, other: str) -> None:
    first, second = (
        event_in(
            f'{{"source":"s","event_type":"t","entity_id":"e","event_time":"2026-11-21T00:00:00Z","payload":{text}}}'
        )
        for text in (one, other)
    )

    assert first.event_id != second.event_id
    assert first.content_sha256 != second.content_sha256


def test_an_instant_written_with_another_offset_is_the_same_instant() -> None:
    utc = an_event(event_time="2026-11-21T23:30:00Z")

    assert identity(an_event(event_time="2026-11-22T01:30:00.000+02:00")) == identity(utc)
    assert identity(an_event(event_time="2026-11-21T23:30:00.000000001Z")) != identity(utc)


def test_a_key_makes_events_of_other_content_the_same_but_not_their_content() -> None:
    one, other = an_event(idempotency_key="k", payload=1), an_event(idempotency_key="k", payload=2)

    assert one.event_id == other.event_id
    assert one.content_sha256 != other.content_sha256


def test_a_key_is_no_part_of_the_content() -> None:
    assert an_event(idempotency_key="k").content_sha256 == an_event().content_sha256


def test_a_key_that_is_null_is_no_key() -> None:
    assert identity(an_event(idempotency_key=None)) == identity(an_event())


@given(st.tuples(names, names), st.tuples(names, names), hashes)
def test_no_two_pairs_of_source_and_key_share_an_id(one: tuple[str, str], other: tuple[str, str], content: str) -> None:
    assert (event_id_of(*one, content) == event_id_of(*other, content)) == (one == other)


@given(st.tuples(texts, texts, texts), hashes)
def test_where_a_source_ends_and_its_key_begins_matters(parts: tuple[str, str, str], content: str) -> None:
    first, middle, last = parts

    assert (event_id_of(first + middle, last, content) == event_id_of(first, middle + last, content)) == (middle == "")


@given(names, names, hashes, hashes)
def test_an_id_by_key_depends_on_source_and_key_alone(source: str, key: str, one: str, other: str) -> None:
    assert event_id_of(source, key, one) == event_id_of(source, key, other)


@given(names, hashes)
def test_no_key_can_pass_for_a_content(source: str, content: str) -> None:
    by_content = event_id_of(source, None, content)

    assert event_id_of(source, content, content) != by_content
    assert event_id_of(source, f"retrace:event-id:content\n{content}", content) != by_content


def test_identities_are_what_they_were_yesterday() -> None:
    """Stored identities are compared with new ones for ever, so their derivation is spelled out here once more."""
    canonical = (
        '{"entity_id":"order-1007","event_time":"2026-11-21T23:59:59.500000000Z","event_type":"order.paid"'
        ',"payload":{"total":1},"source":"shop/checkout"}'
    )
    content = sha256(canonical.encode()).hexdigest()

    assert an_event().content_sha256 == content
    assert an_event().event_id == sha256(f"retrace:event-id:content\n{content}".encode()).hexdigest()
    assert (
        an_event(idempotency_key='k"1').event_id
        == sha256(b'retrace:event-id:idempotency-key\n["shop/checkout","k\\"1"]').hexdigest()
    )
