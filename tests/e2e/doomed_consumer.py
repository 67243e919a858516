"""A program that consumes a destination and may be killed at any moment: it prints each event that it has handled.

python -m tests.e2e.doomed_consumer DESTINATION
"""

from __future__ import annotations

import sys

from retrace import Consumer, Message

VISIBILITY_S = 3
"""So what a killed consumer had comes again soon."""


def handle(message: Message) -> None:
    """Print the event, whole, as threads do."""
    sys.stdout.write(f"{message.event_id}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    consumer = Consumer(sys.argv[1], visibility_s=VISIBILITY_S, wait_s=5, report_age_s=0.2, max_pause_s=0.2)
    consumer.run(handle, concurrency=4)
