"""Events as they come in: each once, however late it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import NoReturn

from retrace.client import Client
from retrace.event_table import event_columns
from retrace.output import Json, Output

EVERY_S = 2.0
MOST = 10_000
"""So many of the newest events of a window are looked at each time; a late arrival among older ones is not seen."""

_SHOWN_FIRST = 10


def follow_events(
    client: Client, query: Mapping[str, str | None], output: Output, sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Show the last events that a query (newest first) finds, then those that come in, until Ctrl-C."""
    seen: set[str] = set()
    output.note("Waiting for events; Ctrl-C ends it.")
    columns = event_columns(output)
    first = True
    while True:
        found = list(islice(client.pages("/events", query), MOST))
        new = [item for item in reversed(found) if item["event_id"] not in seen]
        seen.update(item["event_id"] for item in new)
        shown = new[-_SHOWN_FIRST:] if first else sorted(new, key=_ingest_time)
        if shown:
            output.rows(shown, columns, "", heading=first)
        if first and len(found) == MOST:
            output.note(f"Only the newest {MOST:,} events are watched. A shorter window sees all: --since, --day")
        first = False
        sleep(EVERY_S)


def _ingest_time(item: Json) -> str:
    return str(item["ingest_time"])
