"""What a consumer hands over for each message, and the error that ends it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.lossless_json import JsonText
from chalicelib.events.raw_objects import RawLine
from chalicelib.replays.messages import Duplicate, ReplayMessage


class ConsumerError(Exception):
    """What the consumer cannot do, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a replay. Its event was read from the raw object that the message names, and verified."""

    replay_id: str
    destination: str
    event_id: str
    source: str
    event_type: str
    entity_id: str
    event_time: str
    """UTC, with nine fractional digits, as is `ingest_time`."""
    ingest_time: str
    content_sha256: str
    duplicate: Duplicate | None
    """The later arrival that the message represents: of replays with `include_duplicates` alone."""
    text: str
    """The event as its producer sent it, character by character."""
    attempt: int = 1
    """How often the queue has delivered it, from 1."""

    @property
    def event(self) -> Any:
        """The event, parsed: a number with a decimal point is a Decimal, so `1.10` keeps its digits."""
        return json.loads(self.text, parse_float=Decimal)

    @property
    def key(self) -> str:
        """The same text for each delivery of this message, and for no other message: skip one that you have stored."""
        arrival = self.duplicate
        parts = () if arrival is None else (arrival.ingest_time, arrival.request_id, str(arrival.position))
        return "/".join((self.replay_id, self.event_id, *parts))


def message_to_hand_over(sent: ReplayMessage, line: RawLine, parsed: JsonText) -> Message:
    """The message with the event of its verified line; raises IntegrityFailure if it says otherwise of the event."""
    if (sent.source, sent.event_type) != (parsed.value["source"], line.event_type):  # type: ignore[index]  # an object, as it was verified
        raise IntegrityFailure(f"The message has another source or type than its event {sent.event_id}.")
    return Message(
        replay_id=sent.replay_id,
        destination=sent.destination,
        event_id=sent.event_id,
        source=sent.source,
        event_type=sent.event_type,
        entity_id=sent.entity_id,
        event_time=sent.event_time,
        ingest_time=sent.ingest_time,
        content_sha256=sent.content_sha256,
        duplicate=sent.duplicate,
        text=line.event.decode(),
    )
