"""A program that sends numbered events and may be killed at any moment: it prints a number once `send` has returned.

python -m tests.unit.producer.doomed URL SPOOL FIRST COUNT
"""

from __future__ import annotations

import sys

from retrace import Producer
from tests.unit.producer.model_api import numbered


def main(url: str, spool: str, first: int, count: int) -> None:
    """Send them, and tell of each."""
    with Producer(
        url, spool=spool, region="eu-west-1", max_batch_bytes=5_000, max_batch_age_s=0.01, max_pause_s=0.01
    ) as producer:
        for number in range(first, first + count):
            producer.send(numbered(1, first=number)[0])
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
