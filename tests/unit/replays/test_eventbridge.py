"""An event bus as a destination: the message is the detail, what is not taken is repeated, and sizes are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from chalicelib.core.errors import DestinationRefused, TryAgain
from chalicelib.replays.eventbridge import BYTES_A_CALL, EventBridgeDestination, size_of
from chalicelib.replays.messages import ReplayMessage, message_of
from tests.unit.examples import an_event, stored
from tests.unit.in_memory import no_pause, one_by_one

ARN = "arn:aws:events:eu-west-1:123456789012:event-bus/retrace-dev-to-news"
Entry = dict[str, str]
Taken = Callable[[int, Entry], str | None]


def all_taken(_: int, __: Entry) -> str | None:
    return None


@dataclass
class Bus:
    """EventBridge behind a real client; `refuses` gives the error of an entry, by the number of the call."""

    refuses: Taken = all_taken
    calls: list[list[Entry]] = field(default_factory=list)

    @property
    def destination(self) -> EventBridgeDestination:
        client = boto3.client("events")
        events: Any = client.meta.events
        events.register("before-call.events.PutEvents", self._answer)
        return EventBridgeDestination(client, ARN, no_pause, one_by_one, "news", 1_000)

    def _answer(self, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, Mapping[str, Any]]:
        entries: list[Entry] = json.loads(params["body"])["Entries"]
        self.calls.append(entries)
        errors = [self.refuses(len(self.calls), entry) for entry in entries]
        results = [{"EventId": "id"} if error is None else {"ErrorCode": error} for error in errors]
        return AWSResponse("https://events", 200, HTTPHeaders(), None), {
            "FailedEntryCount": len([error for error in errors if error]),
            "Entries": results,
            "ResponseMetadata": {},
        }


def messages(count: int, **members: str) -> list[ReplayMessage]:
    return [message_of("replay-1", "news", stored(an_event(payload=number, **members))) for number in range(count)]


def details(calls: Sequence[Sequence[Entry]]) -> list[str]:
    return [entry["Detail"] for entries in calls for entry in entries]


def test_the_detail_is_the_message_and_rules_can_choose_by_source_and_type() -> None:
    bus, [message] = Bus(), messages(1)

    bus.destination.send([message])

    detail = message.body
    assert bus.calls == [
        [{"EventBusName": ARN, "Source": "retrace", "DetailType": message.event_type, "Detail": detail}]
    ]
    assert json.loads(detail)["destination"] == "news"


def test_a_type_longer_than_eventbridge_takes_is_cut_and_whole_in_the_detail() -> None:
    bus, [message] = Bus(), messages(1, event_type="t" * 200)

    bus.destination.send([message])

    [[entry]] = bus.calls
    assert entry["DetailType"] == "t" * 128
    assert json.loads(entry["Detail"])["event_type"] == "t" * 200


def test_messages_go_in_tens_each_once() -> None:
    bus, sent = Bus(), messages(25)

    bus.destination.send(sent)

    assert [len(entries) for entries in bus.calls] == [10, 10, 5]
    assert details(bus.calls) == [message.body for message in sent]


def test_only_what_was_not_taken_is_repeated() -> None:
    sent = messages(10)
    third, seventh = sent[2].body, sent[6].body
    refused = {1: {third, seventh}, 2: {seventh}}
    bus = Bus(lambda call, entry: "ThrottlingException" if entry["Detail"] in refused.get(call, ()) else None)

    bus.destination.send(sent)

    assert [[entry["Detail"] for entry in entries] for entries in bus.calls[1:]] == [[third, seventh], [seventh]]


def test_what_is_never_taken_is_an_error_that_says_why() -> None:
    bus = Bus(lambda _, __: "InternalFailure")

    with pytest.raises(TryAgain, match="InternalFailure"):
        bus.destination.send(messages(1))

    assert len(bus.calls) == 5


def test_a_bus_that_may_not_be_written_is_told_from_one_that_is_too_slow() -> None:
    """Entries are refused one by one: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html."""
    bus = Bus(lambda _, __: "AccessDeniedException")

    with pytest.raises(DestinationRefused, match="AccessDeniedException"):
        bus.destination.send(messages(1))


def test_the_entries_of_a_call_stay_below_what_eventbridge_takes() -> None:
    bus, sent = Bus(), messages(10, event_type="\u00e9" * 50)
    large = [message.model_copy(update={"s3_key": "k" * 60_000}) for message in sent]

    bus.destination.send(large)

    assert max(sum(map(size_of, entries)) for entries in bus.calls) <= BYTES_A_CALL < 256 * 1024
    assert details(bus.calls) == [message.body for message in large]
    assert len(bus.calls) == 3
