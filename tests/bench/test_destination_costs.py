"""What previews say of replays to consumers is what is counted on the wire, and hardly more."""

from __future__ import annotations

from dataclasses import astuple, fields, replace

import pytest

from bench import prices
from bench.destination_costs import Sending, reported, reporting_takes, sending_s, sending_takes, sent
from chalicelib.replays import estimate
from chalicelib.replays.destinations import DestinationKind
from chalicelib.replays.estimate import Takes

QUEUE, FIFO, BUS = DestinationKind.QUEUE, DestinationKind.FIFO, DestinationKind.EVENTBRIDGE
DEAREST = (Sending(QUEUE), Sending(FIFO, entities=1), Sending(BUS))


def at_most(counted: Takes, estimated: Takes) -> bool:
    """Whether an estimate has at least what is counted of each, and costs at most a fiftieth more."""
    of_each = zip(astuple(counted), astuple(estimated), strict=True)
    return all(have <= most + 1e-9 for have, most in of_each) and estimated.usd <= 1.02 * counted.usd


@pytest.mark.parametrize("sending", DEAREST, ids=lambda sending: sending.kind.value)
def test_the_estimate_of_a_message_to_a_consumer_is_what_is_counted_in_the_dearest_case(sending: Sending) -> None:
    assert at_most(sending_takes(sending), estimate.SENT[sending.kind])


def test_messages_of_many_entities_cost_no_more_in_order_than_those_of_one() -> None:
    assert sending_takes(Sending(FIFO)).usd <= estimate.SENT[FIFO].usd


def test_the_estimate_of_a_reported_message_is_what_is_counted() -> None:
    assert at_most(reporting_takes(), estimate.REPORTED)


@pytest.mark.parametrize("kind", [QUEUE, FIFO, BUS])
def test_a_message_that_is_reported_costs_a_row_and_its_outcome_more(kind: DestinationKind) -> None:
    plain, kept = (sent(Sending(kind, reports)) for reports in (False, True))

    assert kept.each(kept.writes) - plain.each(plain.writes) == pytest.approx(1)
    assert reported(1_000).writes["AggregatesTable"] == 2 * 1_000
    assert reported(1_000).calls == {"Query": 2, "BatchGetItem": 21, "TransactWriteItems": 11}


def test_a_bus_charges_for_each_message_and_queues_for_calls() -> None:
    on_a_bus, queued, in_order = (
        sent(sending) for sending in (Sending(BUS), Sending(QUEUE), Sending(FIFO, entities=1))
    )

    assert (on_a_bus.bus_events, on_a_bus.sqs_requests) == (on_a_bus.events, 0)
    assert queued.sqs_requests * 10 == queued.events
    assert in_order.sqs_requests == in_order.events


def test_what_is_multiplied_is_the_list_price() -> None:
    charged = {name: price for of_service in prices.CHARGED.values() for name, price in of_service.items()}

    assert charged.keys() == {each.name for each in fields(Takes)}
    for name, price in charged.items():
        assert replace(Takes(), **{name: 1.0}).usd == pytest.approx(price)


def test_planners_are_as_fast_as_estimated() -> None:
    for kind, a_second in estimate.MESSAGES_A_SECOND_A_PLANNER.items():
        assert 0.9 / sending_s(Sending(kind)) <= a_second <= 1 / sending_s(Sending(kind))
    in_order = sending_s(Sending(FIFO, entities=1))
    keeping = sending_s(Sending(QUEUE, reports=True)) - sending_s(Sending(QUEUE))
    assert 0.9 / in_order <= estimate.IN_ORDER_A_SECOND <= 1 / in_order
    assert 0.9 / keeping <= estimate.KEPT_A_SECOND <= 1 / keeping
