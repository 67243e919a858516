"""Reads the raw lines that messages name from S3, near ones with one GET, and has each verified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from botocore.exceptions import ClientError

from chalicelib.core.errors import IntegrityFailure, InvalidRequest, RawObjectMissing, StorageRefused, TryAgain
from chalicelib.core.lossless_json import JsonText
from chalicelib.events.ports import RawStore
from chalicelib.events.raw_objects import RawLine, RawLocation
from chalicelib.processing.fetcher import FetchAndVerify, Received, parsed
from chalicelib.processing.fetcher import Message as AnyMessage
from chalicelib.replays.messages import ReplayMessage
from retrace.consumer.message import Message, message_to_hand_over
from retrace.consumer.queue import AWS_ERRORS, Held

_GETS_AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


class Reader:
    """Reads what messages name. Threads share it."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self._pool = ThreadPoolExecutor(_GETS_AT_ONCE, "retrace-consumer-get")

    def read(self, deliveries: Sequence[Held]) -> None:
        """Find for each delivery what to hand over, or why there is nothing: it does not verify, or cannot be read."""
        by_id = {each.delivery.message_id: each for each in deliveries}
        received, failures = parsed(each.delivery for each in deliveries)
        for message_id, error in failures.items():
            by_id[message_id].content = error
        by_bucket: dict[str, list[Received]] = defaultdict(list)
        for each in received:
            held = by_id[each.message_id]
            if isinstance(each.message, ReplayMessage):
                held.sent = each.message
                by_bucket[each.message.s3_bucket].append(each)
            else:
                held.content = InvalidRequest("The message is not of a replay. It names a whole raw object.")
        for bucket, named in by_bucket.items():
            self._read_of(bucket, named, by_id)

    def close(self) -> None:
        """Read nothing more."""
        self._pool.shutdown(wait=False)

    def _read_of(self, bucket: str, named: Iterable[Received], by_id: dict[str, Held]) -> None:
        raw = cast("RawStore", _Bucket(self.s3, bucket))  # it reads lines, and does nothing else of a RawStore
        for each, found in FetchAndVerify(raw, self._concurrently).fetch(named, _of_line):
            held = by_id[each.message_id]
            held.content = replace(found[0], attempt=held.attempt) if isinstance(found, list) else found

    def _concurrently(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        return list(self._pool.map(function, items))


def _of_line(message: AnyMessage, line: RawLine, json: JsonText) -> Message:
    return message_to_hand_over(cast("ReplayMessage", message), line, json)  # the others were left out


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The bucket that messages name, for reading."""

    s3: Any
    bucket: str

    def read(self, location: RawLocation) -> bytes:
        """The bytes at a location; raises RawObjectMissing, IntegrityFailure, StorageRefused or TryAgain."""
        last = location.offset + location.length - 1
        try:
            answer = self.s3.get_object(
                Bucket=location.bucket, Key=location.key, Range=f"bytes={location.offset}-{last}"
            )
            content: bytes = answer["Body"].read()
        except AWS_ERRORS as error:
            raise _unread(location.key, error) from error
        return content


def _unread(key: str, error: Exception) -> Exception:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    match code:
        case "NoSuchKey":
            return RawObjectMissing(f"The raw object {key} is missing.")
        case "InvalidRange":
            return IntegrityFailure(f"The raw object {key} ends before the line that the message names.")
        case "AccessDenied":
            why = "It is missing, or the consumer may not read it. Attach the destination's ConsumerPolicy"
            return StorageRefused(f"AWS did not show the raw object {key} (AccessDenied). {why}.")
    return TryAgain(f"The raw object {key} could not be read: {error}")
