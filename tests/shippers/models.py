"""What log shippers do with the answers to their requests, as their sources say.

- Fluent Bit 3.2, https://github.com/fluent/fluent-bit: plugins/out_http/http.c (statuses), include/fluent-bit/
  flb_http_client.h (FLB_HTTP_DATA_SIZE_MAX, the buffer of an answer with its headers), flb_input_chunk.h
  (FLB_INPUT_CHUNK_FS_MAX_SIZE), src/flb_output.c (retry_limit 1 by default).
- Vector 0.47, https://github.com/vectordotdev/vector: src/sinks/util/http.rs (HttpStatusRetryLogic: statuses; every
  error of the connection and every timeout is retried, without a limit), src/sinks/http/config.rs (10 MB a batch).
- syslog-ng 3.38, https://github.com/syslog-ng/syslog-ng: modules/http/http-worker.c and tests/test_http.c (statuses),
  lib/logthrdest/logthrdestdrv.c (what "error" and "not connected" mean). `make shippers` compares it with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Protocol

KIB = 1_024


class Verdict(Enum):
    """What a shipper does with a chunk after an answer."""

    DONE = "done"
    RETRIES = "retries"
    DROPS = "drops"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status, and its bytes with the headers."""

    status: int
    size: int = 300


class Shipper(Protocol):
    """A shipper, configured."""

    @property
    def retry_limit(self) -> int | None:
        """How often it sends a chunk again before it drops it; None for ever."""

    def verdict(self, answer: Answer | None) -> Verdict:
        """What it does after an answer, or None if none came."""


@dataclass(frozen=True)
class FluentBit:
    """The `http` output of Fluent Bit."""

    CHUNK_BYTES: ClassVar = 2_048_000

    retry_limit: int | None = 1
    buffer: int = 4 * KIB

    def verdict(self, answer: Answer | None) -> Verdict:
        """Take 200 to 205 if the answer fits the buffer; drop on 4xx, except 408 and 429."""
        if answer is None or answer.size > self.buffer:
            return Verdict.RETRIES
        if answer.status in range(200, 206):
            return Verdict.DONE
        if answer.status in range(400, 500) and answer.status not in {408, 429}:
            return Verdict.DROPS
        return Verdict.RETRIES


@dataclass(frozen=True)
class Vector:
    """The `http` sink of Vector."""

    CHUNK_BYTES: ClassVar = 10_000_000
    """By default."""

    retry_limit: int | None = None

    def verdict(self, answer: Answer | None) -> Verdict:
        """Take any 2xx; retry 429 and 5xx except 501."""
        if answer is None or answer.status == 429 or (answer.status >= 500 and answer.status != 501):
            return Verdict.RETRIES
        return Verdict.DONE if answer.status in range(200, 300) else Verdict.DROPS


@dataclass(frozen=True)
class SyslogNg:
    """The `http()` destination of syslog-ng, with what `response-action()` sets."""

    actions: Mapping[int, Verdict] = field(default_factory=dict)
    retry_limit: int | None = None

    def verdict(self, answer: Answer | None) -> Verdict:
        """Take any 2xx; drop on six statuses; retry others for ever, except three that it retries three times."""
        if answer is None:
            return Verdict.RETRIES
        if answer.status in self.actions:
            return self.actions[answer.status]
        if answer.status in range(200, 300):
            return Verdict.DONE
        return Verdict.DROPS if answer.status in {410, 416, 422, 424, 425, 451, 508} else Verdict.RETRIES


def line_size(event: bytes) -> int:
    """What an event takes of a chunk: its bytes and a line break."""
    return len(event) + 1


def estimated_by_vector(event: bytes) -> int:
    """What an event takes of a batch of Vector: less than its bytes, as line breaks and escapes do not count.

    lib/vector-core/src/event/estimated_json_encoded_size_of.rs
    """
    return len(event.replace(b'\\"', b'"'))


def chunks(events: Iterable[bytes], most_bytes: int, size: Callable[[bytes], int] = line_size) -> list[bytes]:
    """NDJSON of at most so many bytes each, as shippers cut their buffers."""
    made: list[list[bytes]] = []
    room = 0
    for event in events:
        if size(event) > room:
            made.append([])
            room = most_bytes
        made[-1].append(event)
        room -= size(event)
    return [b"\n".join(lines) for lines in made]
