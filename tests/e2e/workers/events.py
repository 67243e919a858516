"""Generated events: the same for the same number, and different wherever that could matter."""

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta

DAYS = 30
ENTITIES = 1_000
FIRST_DAY = date(2026, 10, 1)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)

SOURCE, EVENT_TYPE = CHOSEN = ("shop/checkout", "order.paid")
OTHERS = ((SOURCE, "order.void"), ("shop/returns", EVENT_TYPE), ("shop/returns", "parcel.back"))
EVENTS_FOR_ANOTHER = 20
"""So many of the type come with one that is not of it."""

Kind = tuple[str, str]
"""Source and type."""

SECONDS_A_DAY = 86_400

LITERALS = ("1.10", "-0", "1E+3", str(2**103), str(-(2**102)), "1e-400", "9e400", "1e401", '"12"', "null")
"""Values that are not drawn: numbers of 103 bits and at the bounds of exponents, one beyond, and what is no number."""
SPECIAL = 0.4
"""The share of events that have one of them."""
GROUPS = ("EUR", "USD", "GBP")


def of_a_month(count: int) -> Iterator[bytes]:
    """`count` events of one type, of 1,000 entities over 30 days in about the order of time, and some of others."""
    rng = random.Random(count)  # repeatable, not secret
    for number in range(count):
        day = FIRST_DAY + timedelta(days=number * DAYS // count)
        entity = f"order-{rng.randrange(ENTITIES):04d}"
        yield _event(rng, CHOSEN, entity, day, number)
        if number % EVENTS_FOR_ANOTHER == 0:
            yield _event(rng, rng.choice(OTHERS), entity, day, number)


def of_a_day(count: int, event_type: str) -> Iterator[bytes]:
    """`count` events of one type, all of one entity, on the first day."""
    rng = random.Random(count)  # repeatable, not secret
    for number in range(count):
        yield _event(rng, (SOURCE, event_type), f"entity-of-{event_type}", FIRST_DAY, number)


def of_entities(count: int, entities: int, event_type: str) -> Iterator[bytes]:
    """`count` events of one type and of so many entities, mixed at random, on the first day."""
    rng = random.Random(count)  # repeatable, not secret
    for number in range(count):
        yield _event(rng, (SOURCE, event_type), f"entity-{rng.randrange(entities):03d}", FIRST_DAY, number)


def kind_of(line: bytes) -> Kind:
    """An event's source and type."""
    event = json.loads(line)
    return event["source"], event["event_type"]


def _event(rng: random.Random, kind: Kind, entity: str, day: date, number: int) -> bytes:
    second = rng.randrange(0, SECONDS_A_DAY, 20)  # so that some are of one instant
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    event = {
        "source": kind[0],
        "event_type": kind[1],
        "entity_id": entity,
        "event_time": f"{day}T{clock}.000000000Z",
        "payload": {"number": number, "value": "VALUE", "group": rng.choice(GROUPS)},
    }
    value = rng.choice(LITERALS) if rng.random() < SPECIAL else f"{rng.randrange(-9_999, 99_999) / 100:.2f}"
    return json.dumps(event).replace('"VALUE"', value).encode()
