"""What an event costs, counted exactly: of Retrace, by every size of request, and of its peers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.utilities.idempotency.persistence import base

from bench import prices
from bench.cost import PAGE, WORKINGS, blocks, workings
from bench.event_costs import PEERS, SIZES, of_peer, taken_in, taken_in_again
from bench.markdown import filled
from bench.scale import WORKINGS as SCALE


@pytest.mark.parametrize(("path", "parts"), [(PAGE, blocks), (WORKINGS, workings)], ids=["page", "workings"])
def test_a_page_shows_what_is_counted_now(path: Path, parts: Callable[[], Mapping[str, str]]) -> None:
    page = path.read_text()

    assert filled(page, parts(), "bench.cost") == page, "python -m bench.cost --write brings it up to date"


@pytest.mark.parametrize("size", SIZES)
def test_a_new_event_costs_four_write_units_and_half_a_read_unit_besides_its_index(size: int) -> None:
    assert taken_in(size).units == (4, 1, 0.5)


@pytest.mark.parametrize("size", SIZES)
def test_a_known_event_costs_one_write_unit_and_half_a_read_unit(size: int) -> None:
    assert taken_in_again(size).units == (1, 0, 0.5)


def test_longer_names_cost_a_unit_for_each_kilobyte_of_a_row_and_nothing_else_does() -> None:
    assert taken_in(100, 100).units == (4, 1, 0.5)
    assert taken_in(100, 200).units == (6, 2, 0.5)
    assert taken_in(100, 400).units == (8, 2, 0.5)


@pytest.mark.parametrize(
    ("size", "calls"),
    [
        (1, {"BatchGetItem": 1, "PutObject": 1, "TransactWriteItems": 1}),
        (10, {"BatchGetItem": 1, "PutObject": 1, "TransactWriteItems": 1}),
        (100, {"BatchGetItem": 1, "PutObject": 1, "TransactWriteItems": 2}),
        (1_000, {"BatchGetItem": 10, "PutObject": 1, "TransactWriteItems": 20}),
    ],
)
def test_the_calls_of_a_request(size: int, calls: dict[str, int]) -> None:
    assert taken_in(size).calls == calls


def test_the_calls_of_peers() -> None:
    plain, powertools = (of_peer(name) for name in PEERS)

    assert plain.new.calls == {"PutItem": 40, "PutObject": 20}
    assert plain.known.calls == {"PutItem": 20}
    assert plain.sending.calls == {"Query": 1, "SendMessage": 20}
    assert plain.processing.calls == {"GetObject": 20, "UpdateItem": 20}
    assert powertools.new.calls == {"PutItem": 40, "PutObject": 20, "UpdateItem": 20}
    assert powertools.known.calls == {"PutItem": 20}
    assert powertools.sending.calls == {"Query": 1, "SendMessageBatch": 2}
    assert powertools.processing.calls == {"PutItem": 20, "GetObject": 20, "UpdateItem": 40}


def test_the_units_of_peers() -> None:
    plain, powertools = (of_peer(name) for name in PEERS)

    assert [each.units for each in (plain.new, plain.known)] == [(2, 1, 0), (1, 0, 0)]
    assert [each.units for each in (powertools.new, powertools.known)] == [(3, 1, 0), (1, 0, 0)]
    assert [each.processing.each(each.processing.writes) for each in (plain, powertools)] == [1, 3]


@pytest.mark.parametrize("now", [4_000_000_000 - 3_600, 4_111_111_111], ids=["ends in zeros", "does not"])
def test_what_peers_cost_does_not_depend_on_when_they_run(monkeypatch: pytest.MonkeyPatch, now: int) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Then:
            return cls.fromtimestamp(now, tz)

    monkeypatch.setattr(base, "dt", SimpleNamespace(datetime=Then, timedelta=timedelta))

    assert of_peer.__wrapped__("powertools").new == of_peer("powertools").new


def test_a_batch_of_a_hundred_takes_less_than_a_quarter_of_the_plain_designs_calls() -> None:
    retrace, plain = taken_in(100), of_peer("plain").new

    assert retrace.each(retrace.calls) <= plain.each(plain.calls) / 4


def test_every_price_names_its_page_and_who_read_it_where_the_page_shows_none() -> None:
    every = [line for path in (SCALE, WORKINGS) for line in path.read_text().splitlines() if line.startswith("| $")]
    sourced = [re.fullmatch(r"\| (.+?) \| \[.+?\]\(https://\S+\) \| (.*)\|", line) for line in every]

    assert len(every) == 16
    assert None not in sourced
    unseen = [match[1] for match in sourced if match and not match[2].strip()]
    assert unseen == ["$3.50 a million requests to REST APIs, first tier"]


def test_a_price_is_of_one_of_what_its_row_says() -> None:
    assert (prices.STORED_GB_MONTH, prices.S3_PUT, prices.API_REQUEST) == (0.25, 0.000005, 0.0000035)
    assert (prices.TABLE_UNITS, prices.SQS_BATCH) == (40_000, 10)
