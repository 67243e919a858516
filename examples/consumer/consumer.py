#!/usr/bin/env python3
"""Consume replays: print each replayed event, verbatim, on a line of its own.

    examples/consumer/consumer.py billing --until-empty > events.ndjson

It reads the queue of a destination, ordered or not, which DESTINATIONS names as the stack does. A message is handled
once its line is written. Then `retrace.Consumer` reports it, if its destination reports, and deletes it.
"""

import argparse
import sys
from collections.abc import Sequence

from retrace import Consumer, ConsumerError

LAST_POLL_S, LONG_POLL_S = 2, 20


def consume(consumer: Consumer) -> None:
    """Write the event of each message, once however often it is delivered."""
    written = set()  # to survive the process, keep it where the results are kept
    for message in consumer:
        if message.key not in written:
            sys.stdout.buffer.write(message.text.encode() + b"\n")
            sys.stdout.buffer.flush()
            written.add(message.key)


def main(arguments: Sequence[str]) -> int:
    """Consume until interrupted, or until the queue is empty; return 1 if messages were left on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", help="a name in $DESTINATIONS, which names the queue of each")
    parser.add_argument("--until-empty", action="store_true", help="stop when the queue has nothing to hand out")
    chosen = parser.parse_args(arguments)
    wait_s = LAST_POLL_S if chosen.until_empty else LONG_POLL_S
    try:
        consumer = Consumer(chosen.destination, stop_when_empty=chosen.until_empty, wait_s=wait_s)
        consume(consumer)
    except ConsumerError as error:
        sys.exit(str(error))
    sys.stderr.write(f"{consumer.done} messages handled, {consumer.failed} deliveries left to be tried again\n")
    return 1 if consumer.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
