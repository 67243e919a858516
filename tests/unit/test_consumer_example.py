"""The consumer in examples/: what it writes, what it takes off the queue, and what it leaves there."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chalicelib.events.raw_objects import object_of, stored_events
from chalicelib.replays.destinations import TO_AGGREGATES
from chalicelib.replays.messages import Duplicate, ReplayMessage, message_of
from tests.unit.examples import INGESTED, RECEIPT, an_event

SCRIPT = Path(__file__).parents[2] / "examples/consumer/consumer.py"
EVENTS = [an_event(entity_id=f"order-{number}") for number in range(3)]
RAW = object_of(EVENTS, RECEIPT)
LINES = RAW.splitlines(keepends=True)
MESSAGES = [message_of("replay-1", TO_AGGREGATES, stored) for stored in stored_events(EVENTS, RECEIPT, "bucket", "key")]


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("consumer", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["consumer"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["consumer"]


@dataclass
class Queue:
    """Hands out batches as given, and remembers what was deleted."""

    batches: list[list[dict[str, Any]]]
    out: io.BytesIO
    deleted: list[str] = field(default_factory=list)
    written_before: list[bytes] = field(default_factory=list)
    """What had been written whenever something was deleted."""

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": self.batches.pop(0)} if self.batches else {}

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, str]]) -> None:  # noqa: N803  # boto3's
        assert QueueUrl == "the queue"
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        self.written_before.append(self.out.getvalue())


class Bucket:
    """Holds one raw object."""

    def get_object(self, *, Bucket: str, Key: str, Range: str) -> dict[str, Any]:  # noqa: N803  # boto3's
        assert (Bucket, Key) == ("bucket", "key")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": io.BytesIO(RAW[first : last + 1])}


def delivered(message: ReplayMessage | str, receipt: str, group: str | None = None) -> dict[str, Any]:
    body = message if isinstance(message, str) else message.model_dump_json()
    attributes = {"Attributes": {"MessageGroupId": group}} if group else {}
    return {"MessageId": f"id of {receipt}", "ReceiptHandle": receipt, "Body": body, **attributes}


def consumed(example: ModuleType, *batches: list[dict[str, Any]]) -> tuple[Queue, Any]:
    """A queue and its consumer, when the queue is empty."""
    out = io.BytesIO()
    queue = Queue(list(batches), out)
    consumer = example.Consumer(queue, Bucket(), "the queue", out)
    while consumer.poll(0):
        pass
    return queue, consumer


def test_each_line_is_written_as_it_is_stored_and_only_then_off_the_queue(example: ModuleType) -> None:
    queue, _ = consumed(
        example, [delivered(MESSAGES[0], "a"), delivered(MESSAGES[1], "b")], [delivered(MESSAGES[2], "c")]
    )

    assert queue.out.getvalue() == RAW
    assert queue.deleted == ["a", "b", "c"]
    assert queue.written_before == [LINES[0] + LINES[1], RAW]


def test_a_message_of_another_schema_is_left_on_the_queue(example: ModuleType) -> None:
    body = MESSAGES[0].body.replace("replay-message:1", "replay-message:2")
    queue, consumer = consumed(example, [delivered(body, "a"), delivered(MESSAGES[1], "b")])

    assert queue.deleted == ["b"]
    assert consumer.left == 1


def test_a_message_that_comes_twice_is_written_once_and_deleted_twice(example: ModuleType) -> None:
    queue, _ = consumed(example, [delivered(MESSAGES[0], "a")], [delivered(MESSAGES[0], "again")])

    assert queue.out.getvalue() == LINES[0]
    assert queue.deleted == ["a", "again"]


def test_the_event_of_another_replay_and_a_later_arrival_of_it_are_others(example: ModuleType) -> None:
    arrival = Duplicate(ingest_time=INGESTED, request_id="request-2", position=0)
    others: list[dict[str, Any]] = [{"replay_id": "replay-2"}, {"duplicate": arrival}]
    messages = [MESSAGES[0], *(MESSAGES[0].model_copy(update=other) for other in others)]
    queue, _ = consumed(example, [delivered(message, str(number)) for number, message in enumerate(messages)])

    assert queue.out.getvalue() == LINES[0] * 3


WRONG = {
    "no JSON": "no message",
    "no message": "{}",
    "another event's line": MESSAGES[0].model_copy(update={"event_id": "0" * 64}).model_dump_json(),
    "other content": MESSAGES[0].model_copy(update={"content_sha256": "0" * 64}).model_dump_json(),
    "no line": MESSAGES[0].model_copy(update={"s3_length": 7}).model_dump_json(),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_fails_stays_on_the_queue_and_stops_nothing_else(
    example: ModuleType, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    queue, consumer = consumed(example, [delivered(WRONG[wrong], "wrong"), delivered(MESSAGES[1], "b")])

    assert queue.out.getvalue() == LINES[1]
    assert queue.deleted == ["b"]
    assert consumer.left == 1
    assert "id of wrong" in capsys.readouterr().err


def test_nothing_overtakes_a_message_of_its_group_that_failed(example: ModuleType) -> None:
    batch = [
        delivered(MESSAGES[0], "first", "one"),
        delivered("no message", "wrong", "one"),
        delivered(MESSAGES[1], "held back", "one"),
        delivered(MESSAGES[2], "of another", "two"),
    ]
    queue, _ = consumed(example, batch)

    assert queue.out.getvalue() == LINES[0] + LINES[2]
    assert queue.deleted == ["first", "of another"]
