#!/usr/bin/env python3
"""Write three days of a payments platform, and the truth about them: the same events at every run.

    examples/payments/generate.py [DIRECTORY]

examples/README.md tells the story.
"""

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from incident import AMOUNTS, GATEWAY, KINDS, LEDGER, OUTAGE, RISK, SECOND_DAY, Event, Incident, Json, incident

HERE = Path(__file__).resolve().parent
COMPRESSED = ("arrived.ndjson", "gateway.ndjson")


def keys(events: Iterable[Event]) -> list[str]:
    """Return the keys of events, sorted."""
    return sorted(str(event.key) for event in events)


def by_hour(events: Iterable[Event]) -> Json:
    """Return how many events each source and type has in each hour."""
    counts = Counter((each.source, each.event_type, f"{each.when:%Y-%m-%dT%H}") for each in events)
    return {
        source: {
            event_type: {hour: count for (*kind, hour), count in sorted(counts.items()) if kind == [source, event_type]}
            for of, event_type in KINDS
            if of == source
        }
        for source in (GATEWAY, RISK, LEDGER)
    }


def entity_days(events: Iterable[Event]) -> list[Json]:
    """Return how many events each entity and day has, most first."""
    counts = Counter((each.entity_id, f"{each.when:%Y-%m-%d}") for each in events)
    worst_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"entity_id": entity_id, "day": day, "events": count} for (entity_id, day), count in worst_first]


def captured(events: Iterable[Event]) -> dict[str, str]:
    """Return the amount that each country paid on the second day."""
    sums: dict[str, Decimal] = {}
    for each in events:
        if each.event_type == "payment.captured" and each.when.day == SECOND_DAY.day:
            country = each.payload["country"]
            sums[country] = sums.get(country, Decimal(0)) + Decimal(each.payload["amount"].digits)
    return {country: str(total) for country, total in sorted(sums.items())}


def truth(days: Incident) -> Json:
    """Return the answers to the questions that an on-call engineer asks."""
    hours = by_hour(days.accepted)
    quiet = (f"{OUTAGE[0]:%Y-%m-%dT%H}", f"{OUTAGE[0] + timedelta(hours=1):%Y-%m-%dT%H}")
    return {
        "accepted": len(days.accepted),
        "duplicates": len(days.duplicates),
        "conflicts": {key: {"first": first, "refused": refused} for key, (first, refused) in AMOUNTS.items()},
        "refused": keys(days.refused),
        "late": [{"source": each.source, "event_type": each.event_type, "key": each.key} for each in days.late],
        "stale": entity_days(days.late),
        "lost": keys(days.lost),
        "outage": {hour: sum(of_type.get(hour, 0) for of_type in hours[GATEWAY].values()) for hour in quiet},
        "of_the_gateway": len(days.of_the_gateway),
        "captured": captured(days.accepted),
        "hours": hours,
    }


def files() -> dict[str, str]:
    """Return the text of every file."""
    days = incident()
    lines = {"arrived": days.arrived, "again": days.again, "late": days.late, "gateway": days.of_the_gateway}
    texts = {f"{name}.ndjson": "".join(f"{each.line()}\n" for each in events) for name, events in lines.items()}
    return texts | {"truth.json": json.dumps(truth(days), indent=1) + "\n"}


def main(directory: Path) -> None:
    """Write the files, large ones compressed."""
    for name, content in files().items():
        if name in COMPRESSED:
            (directory / f"{name}.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
        else:
            (directory / name).write_text(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
