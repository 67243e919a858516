#!/usr/bin/env python3
"""Write the sample: an online shop's Black Friday as files of native events, the same bytes at every run.

    examples/shop-day/generate.py [DIRECTORY]

The files are what counts; this script says how they came about. README.md tells their story.
"""

import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OPENING = datetime(2025, 11, 28, 7, 0, tzinfo=UTC)
CENTRAL_EUROPE = timezone(timedelta(hours=1))

CUSTOMERS = ("Zoë Brontë", "Łukasz Wójcik", "Ana María Núñez", "Jürgen Groß", "李雷", "Siân Ó Néill", "Δήμητρα")
ARTICLES = (("mug-å", "1.10"), ("tea-sencha", "4.50"), ("kettle-2l", "39.90"), ("scale-0.1g", "24.00"))
OTHER_DEPOTS = ("depot-łódź", "depot-münchen")
SCANS = (("parcel.received", 0), ("parcel.sorted", 12), ("parcel.loaded", 47))

ORDERS = 30
PARCELS_IN_LYON = 12
OFFLINE_PARCELS = (9, 10, 11)
OFFLINE_SCANNER = 3
"""The scanner in Lyon that had lost its network, and the parcels it was used for."""

RESENDS = 5
RESENT_WEBHOOKS = 10


@dataclass(frozen=True)
class Number:
    """A number by its digits: 1.10 stays 1.10."""

    digits: str


Json = dict[str, Any]


def text(value: Any) -> str:
    """Return JSON on one line."""
    match value:
        case Number():
            return value.digits
        case dict():
            return "{" + ",".join(f"{text(name)}:{text(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ",".join(map(text, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def event(kind: tuple[str, str], entity_id: str, when: datetime, payload: Json, key: str | None = None) -> Json:
    """Return a native event; its kind is its source and event type."""
    source, event_type = kind
    optional = {} if key is None else {"idempotency_key": key}
    return {
        "source": source,
        "event_type": event_type,
        "entity_id": entity_id,
        "event_time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "payload": payload,
        **optional,
    }


def cents(price: str) -> int:
    """Return a price in cents."""
    return int(price.replace(".", ""))


def order(chance: random.Random, number: int) -> Iterator[Json]:
    """Yield the events of one order, from the shop and from its payment provider."""
    entity_id = f"order-{1001 + number}"
    placed = OPENING + timedelta(seconds=number * 1500 + chance.randrange(900), milliseconds=chance.randrange(1000))
    article, price = ARTICLES[0] if number == 6 else chance.choice(ARTICLES)
    quantity = 1 if number == 6 else chance.randint(1, 3)
    total = Number(f"{cents(price) * quantity / 100:.2f}")
    lines = [{"article": article, "quantity": quantity, "price": Number(price)}]
    basket = {"customer": chance.choice(CUSTOMERS), "lines": lines, "total": total, "currency": "EUR"}
    yield event(("shop/checkout", "order.placed"), entity_id, placed, basket, f"{entity_id}/placed")
    for event_type, minutes in (("authorised", 1), ("declined" if number % 13 == 12 else "captured", 3)):
        when = placed + timedelta(minutes=minutes, milliseconds=chance.randrange(1000))
        payment = {
            "amount": total,
            "currency": "EUR",
            "ledger_entry": Number(str(12345678901234567890 + number)),
            "sent_at": Number(f"{when.timestamp() / 1e9:.12f}E9"),
        }
        key = f"evt_{chance.randrange(16**10):010x}"
        yield event(("payments/northpay", f"payment.{event_type}"), entity_id, when, payment, key)


def parcel(chance: random.Random, depot: str, number: int, received: datetime, scanner: int = 1) -> Iterator[Json]:
    """Yield the scans of one parcel at one depot; scanners know no idempotency keys."""
    weight = Number(f"{chance.randrange(20, 900) / 100:.2f}")
    name = f"{depot.removeprefix('depot-')[:3].upper()}-{5001 + number}"
    for event_type, minutes in SCANS:
        when = received + timedelta(minutes=minutes, milliseconds=chance.randrange(60_000))
        payload = {"parcel": name, "weight_kg": weight, "scanner": scanner}
        yield event(("depot/scanners", event_type), depot, when, payload)


def in_lyon(chance: random.Random) -> tuple[list[Json], list[Json]]:
    """Return the scans in Lyon that arrived at once and those that a scanner kept until the next morning."""
    prompt: list[Json] = []
    late: list[Json] = []
    for number in range(PARCELS_IN_LYON):
        offline = number in OFFLINE_PARCELS
        # The last of the offline ones is loaded after midnight in Lyon, which is still the 28th in UTC.
        hour = 23 if number == PARCELS_IN_LYON - 1 else 9 + number
        received = datetime(2025, 11, 28, hour, 16 + number, tzinfo=CENTRAL_EUROPE)
        scans = parcel(chance, "depot-lyon", number, received, OFFLINE_SCANNER if offline else 1)
        (late if offline else prompt).extend(scans)
    return prompt, late


def elsewhere(chance: random.Random) -> Iterator[Json]:
    """Yield the scans at the other depots."""
    for depot in OTHER_DEPOTS:
        for number in range(5):
            received = datetime(2025, 11, 28, 10 + 2 * number, chance.randrange(60), tzinfo=CENTRAL_EUROPE)
            yield from parcel(chance, depot, number, received)


def happened(single: Json) -> datetime:
    """Return when an event happened."""
    return datetime.fromisoformat(single["event_time"])


def rewritten(single: Json) -> str:
    """Return the same event in other bytes: members reversed, spaces added, every number as it was."""
    return text(dict(reversed(single.items()))).replace('","', '", "')


def storm(chance: random.Random, scans: Sequence[Json], webhooks: Sequence[Json]) -> list[str]:
    """Return a retry storm: a gateway that never saw an answer, and a payment provider that joined in."""
    lines = [text(scan) if resend % 2 else rewritten(scan) for scan in scans for resend in range(RESENDS)]
    lines += [text(webhook) for webhook in webhooks for _ in range(RESENDS)]
    chance.shuffle(lines)
    return lines


def conflict(day: Iterable[Json]) -> Json:
    """Return what claims to be a webhook of that day but states ten times its amount."""
    captured = next(one for one in day if one["entity_id"] == "order-1007" and one["event_type"] == "payment.captured")
    return captured | {"payload": captured["payload"] | {"amount": Number("11.00")}}


TWICE_AND_MISSING = (
    '{"source":"shop/checkout","event_type":"order.placed","event_time":"2025-11-28T16:20:05",'
    '"payload":{"total":19.90,"total":1.99}}'
)
"""No entity, a time without offset, and a member given twice."""

CUT_OFF = '{"source":"depot/scanners","event_type":"parcel.loaded","entity_id":"depot-lyon","event_time":"2025-11'
"""Lost its end in transit."""


def files() -> dict[str, list[str]]:
    """Return the lines of every file."""
    chance = random.Random(20251128)  # noqa: S311  # a sample, not a secret
    orders = [single for number in range(ORDERS) for single in order(chance, number)]
    prompt, late = in_lyon(chance)
    day = sorted([*orders, *prompt, *elsewhere(chance)], key=happened)
    webhooks = [single for single in day if single["source"] == "payments/northpay"][:RESENT_WEBHOOKS]
    return {
        "day.ndjson": [text(single) for single in day],
        "conflict.ndjson": [text(conflict(day))],
        "malformed.ndjson": [TWICE_AND_MISSING, CUT_OFF],
        "retry-storm.ndjson": storm(chance, prompt, webhooks),
        "late-batch.ndjson": [text(single) for single in late],
    }


def main(directory: Path) -> None:
    """Write the files."""
    for name, lines in files().items():
        (directory / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
