"""A program that sends numbered events and may be killed at any moment.

It prints "sent" and a number once `send` has returned, "refused" and a number for each event that on_rejected got, and
at the end "peak" and its memory in kilobytes.

python -m tests.unit.producer.doomed URL SPOOL SOURCE FIRST COUNT BATCH_BYTES
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from retrace import Producer, Rejection

INVALID, FIRST_OF_KEY, SECOND_OF_KEY = 7, 12, 13


def event(source: str, number: int) -> bytes:
    """One of a hundred entities' events: of twenty events one is invalid, and of fifty two have one key."""
    time = "2026-11-21T10:00:00Z" if number % 20 != INVALID else "refuse: no time"
    key = f',"idempotency_key":"{source}-{number // 50}"' if number % 50 in (FIRST_OF_KEY, SECOND_OF_KEY) else ""
    of = f'"source":"{source}","event_type":"paid","entity_id":"{source}/{number % 100}"'
    return f'{{{of},"event_time":"{time}","payload":{number}{key}}}'.encode()


def is_invalid(number: int) -> bool:
    """Whether the API rejects it."""
    return number % 20 == INVALID


def has_rival(number: int) -> bool:
    """Whether another event has its key, so that one of the two is a conflict."""
    return number % 50 in (FIRST_OF_KEY, SECOND_OF_KEY)


def told(what: str, number: int) -> None:
    """Print a line, whole, as threads do."""
    sys.stdout.write(f"{what} {number}\n")
    sys.stdout.flush()


def refused(rejection: Rejection) -> None:
    """Print the number of an event that was refused."""
    told("refused", json.loads(rejection.event)["payload"])


def peak_kb() -> int:
    """The most memory that it had; what getrusage says begins with the memory of its parent."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


def main(url: str, spool: str, source: str, *numbers: int) -> None:
    """Send events from the first on, as many as the second number says, and tell of each."""
    first, count, batch_bytes = numbers
    with Producer(
        url,
        spool=spool,
        on_rejected=refused,
        max_batch_bytes=batch_bytes,
        max_batch_age_s=0.05,
        max_spool_bytes=20_000_000,
        max_pause_s=0.2,
        close_timeout_s=600,
    ) as producer:
        for number in range(first, first + count):
            producer.send(event(source, number))
            told("sent", number)
    told("peak", peak_kb())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
