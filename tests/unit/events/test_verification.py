"""Verification: a stored line is believed only if its event says the same when it is read anew."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.events.raw_objects import RawLine, line_of, parse_line, verify
from tests.unit.examples import RECEIPT, an_event, event_in, natives
from tests.unit.json_trees import Members, randoms, write


def line(**members: str) -> RawLine:
    return parse_line(line_of(an_event(**members), RECEIPT))


@given(natives(), randoms)
def test_a_line_as_it_was_stored_gives_its_event(native: Members, rng: Random) -> None:
    event = event_in(write(native, rng))

    assert verify(parse_line(line_of(event, RECEIPT))) == event


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b'"total": 1', b'"total": 2'),
        (b'"total": 1', b'"total": 1.0'),
        (b"order.paid", b"order.void"),
        (b"shop/checkout", b"shop/checkin!"),
        (b"23:59:59.5", b"23:59:59.6"),
        (b'"total": 1', b'"total": NaN'),
        (b'{"total": 1}', b'{"total": 1, "total": 1}'),
        (b'"total"', b'"total\xff"'),
        (b'"payload"', b'"paylord"'),
        (b'{"total": 1}', b'{"total": 1'),
    ],
)
def test_an_event_that_was_tampered_with_is_an_integrity_failure(said: bytes, instead: bytes) -> None:
    stored = line()
    assert said in stored.event

    with pytest.raises(IntegrityFailure):
        verify(replace(stored, event=stored.event.replace(said, instead)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_id", "0" * 64),
        ("content_sha256", "0" * 64),
        ("entity_id", "order-1"),
        ("event_type", "order.void"),
        ("event_time", Instant("2026-11-21T23:59:59.500000001Z")),
    ],
)
def test_metadata_that_does_not_follow_from_the_event_is_an_integrity_failure_that_names_it(
    name: str, value: str
) -> None:
    with pytest.raises(
        IntegrityFailure, match=rf"hashes to {line().content_sha256}; its line has a different {name}\.$"
    ):
        verify(RawLine(**{each: getattr(line(), each) for each in RawLine.__slots__} | {name: value}))


def test_another_idempotency_key_is_an_integrity_failure_though_the_content_is_the_same() -> None:
    kept, other = line(idempotency_key="one"), line(idempotency_key="two")
    assert kept.content_sha256 == other.content_sha256

    with pytest.raises(IntegrityFailure, match=r"has a different event_id\.$"):
        verify(replace(kept, event=other.event))
