"""Event buses that replayed events go to, in EventBridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws.errors import attempts_of, is_denied, translated
from chalicelib.core.errors import DestinationRefused, TryAgain
from chalicelib.core.pagination import chunked_by_size
from chalicelib.core.ports import Concurrently, Pause
from chalicelib.replays.messages import ReplayMessage

SOURCE: Final = "retrace"
"""What rules match to tell replayed events from those that producers put on the same bus."""

ENTRIES_A_CALL: Final = 10
BYTES_A_CALL: Final = 256 * 1024 - 1
"""Less than 256 KB: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html"""

MAX_DETAIL_TYPE: Final = 128
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html"""

_ATTEMPTS = 5

_Entry = dict[str, str]


@dataclass(frozen=True)
class EventBridgeDestination:
    """A bus, which keeps no order. It has no window in flight, as rules may not match each message."""

    events: Any
    arn: str
    pause: Pause
    concurrently: Concurrently
    name: str
    messages_a_batch: int
    rate: float | None = None
    ordered: bool = False
    max_in_flight: int | None = None

    def send(self, messages: Sequence[ReplayMessage]) -> None:
        """Put messages on the bus in tens; returns when it has taken every one of them."""
        entries = [self._entry(message) for message in messages]
        with translated(f"putting replay messages on the event bus {self.name}", DestinationRefused):
            self.concurrently(self._put, list(chunked_by_size(entries, size_of, ENTRIES_A_CALL, BYTES_A_CALL)))

    def _entry(self, message: ReplayMessage) -> _Entry:
        """The message as the detail, and the type of its event as far as a rule can have it."""
        return {
            "EventBusName": self.arn,
            "Source": SOURCE,
            "DetailType": message.event_type[:MAX_DETAIL_TYPE],
            "Detail": message.body,
        }

    def _put(self, entries: Sequence[_Entry]) -> None:
        """Put at most ten entries. EventBridge answers for each, in their order; what it did not take is repeated."""
        pending, attempts, refused = list(entries), 0, set[str]()
        while attempts < _ATTEMPTS:
            answer = self.events.put_events(Entries=pending)
            attempts += attempts_of(answer)
            failed = [
                (entry, result["ErrorCode"])
                for entry, result in zip(pending, answer["Entries"], strict=True)
                if "ErrorCode" in result
            ]
            pending, refused = [entry for entry, _ in failed], {code for _, code in failed}
            if not pending:
                return
            self.pause(attempts)
        told = f"EventBridge did not take every message of a batch ({', '.join(sorted(refused))})."
        raise DestinationRefused(told) if any(map(is_denied, refused)) else TryAgain(told)


def size_of(entry: _Entry) -> int:
    """What an entry counts: its source, type and detail in UTF-8."""
    return sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
