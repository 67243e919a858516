"""The poller of `make local` reads responses as Lambda does, and treats messages accordingly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from embedded.poller import Source, failed, poll_once, sources


@pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}])
def test_a_response_that_names_nothing_is_success(response: object) -> None:
    assert failed(response, ["a", "b"]) == set()


def test_named_messages_failed_and_no_other() -> None:
    assert failed({"batchItemFailures": [{"itemIdentifier": "b"}]}, ["a", "b", "c"]) == {"b"}


@pytest.mark.parametrize(
    "response",
    [
        "done",
        ["b"],
        {"batchItemFailures": "b"},
        {"batchItemFailures": ["b"]},
        {"batchItemFailures": [{"itemIdentifier": "elsewhere"}]},
        {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"id": "a"}]},
    ],
)
def test_a_response_that_makes_no_sense_fails_the_whole_batch(response: object) -> None:
    assert failed(response, ["a", "b"]) == {"a", "b"}


@dataclass
class Queues:
    """SQS with empty queues, which remembers how many messages it was asked for."""

    asked_for: list[int] = field(default_factory=list)

    def get_queue_url(self, *, QueueName: str) -> Mapping[str, str]:  # noqa: N803  # boto3's
        return {"QueueUrl": f"http://queues/1/{QueueName}"}

    def receive_message(self, *, MaxNumberOfMessages: int, **_: Any) -> Mapping[str, Any]:  # noqa: N803  # boto3's
        self.asked_for.append(MaxNumberOfMessages)
        return {}


@pytest.mark.parametrize(
    ("declared", "read"),
    [
        (
            ["aggregates", "b"],
            {"planner": "replay-jobs", "processor": "replay", "dead_letters": "replay-failures"},
        ),
        (["b"], {"planner": "replay-jobs", "dead_letters": "replay-failures"}),
    ],
)
def test_every_queue_of_the_application_is_read_but_that_of_a_processor_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, declared: list[str], read: dict[str, str]
) -> None:
    monkeypatch.setenv("DESTINATIONS", json.dumps({name: {"arn": "arn"} for name in declared}))
    queues: Any = Queues()

    found = {
        source.function: source.queue_url.removeprefix("http://queues/1/retrace-test-") for source in sources(queues)
    }

    assert found == read


@pytest.mark.parametrize(("batch_size", "asked"), [(1, 1), (10, 10), (100, 10)])
def test_sqs_is_asked_for_no_more_messages_than_it_hands_out_at_once(batch_size: int, asked: int) -> None:
    queues: Any = Queues()

    poll_once(Source("planner", lambda *_: None, "http://queues/1/jobs", batch_size, 1_000), queues)

    assert queues.asked_for == [asked]
