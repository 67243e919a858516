"""What a planner has committed itself to, and may not have done yet: messages to send, days to keep."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from chalicelib.core.timestamps import Day
from chalicelib.replays.messages import ReplayMessage


@dataclass(frozen=True, slots=True)
class Outbox:
    """The messages of one commit of a replay, and the days of entities that it found."""

    messages: tuple[ReplayMessage, ...] = ()
    days: tuple[tuple[str, Day], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.messages or self.days)

    @property
    def packed(self) -> bytes:
        """All of it, compressed: a hundred bytes or so for each message, most of which are hashes."""
        lines = [json.dumps(self.days), *(message.body for message in self.messages)]
        return zlib.compress("\n".join(lines).encode())


def unpacked(content: bytes) -> Outbox:
    """Read what `packed` has written."""
    days, *messages = zlib.decompress(content).decode().split("\n")
    return Outbox(
        tuple(ReplayMessage.model_validate_json(message) for message in messages),
        tuple((entity_id, Day(day)) for entity_id, day in json.loads(days)),
    )
