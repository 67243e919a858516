"""Three days of a payments platform: what happened, and what became of each event (examples/README.md)."""  # noqa: INP001  # beside the script that imports it

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST_DAY = datetime(2025, 11, 21, tzinfo=UTC)
HOURS = 72

GATEWAY, RISK, LEDGER = "pay/gateway", "pay/risk", "pay/ledger"
KINDS = {
    (GATEWAY, "payment.captured"): 843,
    (GATEWAY, "refund.issued"): 182,
    (RISK, "payment.scored"): 812,
    (RISK, "payment.flagged"): 121,
    (LEDGER, "entry.booked"): 909,
    (LEDGER, "payout.sent"): 133,
}
"""How many events of each source and type happened."""

NAMES = {"payment.captured": "payment", "refund.issued": "refund", "payment.scored": "score", "payment.flagged": "flag"}
"""What the keys of a type begin with. The ledger's events have no keys."""

OF_AN_HOUR = (7, 6, 6, 6, 6, 7, 8, 9, 10, 11, 11, 12, 12, 11, 11, 11, 11, 12, 12, 11, 10, 9, 8, 7)
"""How busy each hour of the day is. No hour is so quiet that it looks like an outage."""

MERCHANTS = tuple(f"merchant-{number:02}" for number in range(1, 13))
SHARES = (9, 9, 8, 7, 7, 6, 6, 5, 5, 4, 3, 3)
COUNTRIES = ("DE", "FR", "PL", "ES", "NO")

SECOND_DAY = FIRST_DAY + timedelta(days=1)
THIRD_DAY = FIRST_DAY + timedelta(days=2)

STORM = (FIRST_DAY + timedelta(hours=17), FIRST_DAY + timedelta(hours=18))
"""The gateway saw no answers in this hour, so it sent each of its events twice more."""

OUTAGE = (SECOND_DAY + timedelta(hours=14), SECOND_DAY + timedelta(hours=16))
"""The gateway's events of these two hours were lost, except one that came late."""

BROKEN_SDK, BROKEN = THIRD_DAY + timedelta(hours=8), 20
"""From this time a new SDK wrote the times of this many refunds without an offset."""

EVENING = (SECOND_DAY + timedelta(hours=18), SECOND_DAY + timedelta(hours=23))
MORNING = (FIRST_DAY + timedelta(hours=6), FIRST_DAY + timedelta(hours=18))
"""When a node of the gateway, and a batch of the ledger, were held up."""

ASKED_FOR = "payment_000491"
"""The payment that came four times: accepted, twice again, and once with another amount."""

AMOUNTS = {"payment_000212": ("48.10", "84.10"), ASKED_FOR: ("130.77", "120.77"), "refund_000051": ("9.99", "9.90")}
"""Keys that came again with another amount: the first and the second."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Number:
    """A number by its digits: 1.10 stays 1.10."""

    digits: str


@dataclass(frozen=True)
class Event:
    """An event of the platform."""

    source: str
    event_type: str
    entity_id: str
    when: datetime
    payload: dict[str, Any]
    key: str | None = None
    offset: str = "Z"

    def line(self) -> str:
        """Return it as it is sent."""
        optional = {} if self.key is None else {"idempotency_key": self.key}
        time = self.when.replace(tzinfo=None).isoformat(timespec="milliseconds") + self.offset
        return text(
            {"source": self.source, "event_type": self.event_type, "entity_id": self.entity_id}
            | {"event_time": time, "payload": self.payload}
            | optional
        )


def text(value: Any) -> str:
    """Return JSON on one line."""
    match value:
        case Number():
            return value.digits
        case dict():
            return "{" + ",".join(f"{text(name)}:{text(member)}" for name, member in value.items()) + "}"
        case _:
            return json.dumps(value)


def instants(chance: random.Random, total: int) -> Iterator[datetime]:
    """Yield this many times, in order, spread over the hours as busy as they are."""
    busy, done = [OF_AN_HOUR[hour % 24] for hour in range(HOURS)], 0
    for hour in range(HOURS):
        until = total * sum(busy[: hour + 1]) // sum(busy)
        for milliseconds in sorted(chance.sample(range(3_600_000), until - done)):
            yield FIRST_DAY + timedelta(hours=hour, milliseconds=milliseconds)
        done = until


def happened(chance: random.Random) -> Iterator[Event]:
    """Yield everything that happened, kind by kind."""
    for (source, event_type), total in KINDS.items():
        for number, when in enumerate(instants(chance, total), 1):
            [merchant] = chance.choices(MERCHANTS, SHARES)
            key = f"{NAMES[event_type]}_{number:06}" if event_type in NAMES else None
            yield Event(source, event_type, merchant, when, payload(chance, source, key), key)


def payload(chance: random.Random, source: str, key: str | None) -> Json:
    """Return what an event says: a score, or an amount."""
    if source == RISK:
        return {"score": Number(f"{chance.randrange(1000) / 1000:.3f}"), "model": "r7"}
    amount = f"{chance.randrange(200, 40_000) / 100:.2f}"
    first, _ = AMOUNTS.get(key or "", (amount, amount))
    return {"amount": Number(first), "currency": "EUR", "country": chance.choice(COUNTRIES)}


@dataclass(frozen=True)
class Incident:
    """What happened, by what became of it."""

    prompt: list[Event]
    late: list[Event]
    lost: list[Event]
    refused: list[Event]

    @property
    def accepted(self) -> list[Event]:
        """The events that arrived and were valid, each once."""
        return in_order([*self.prompt, *self.late])

    @property
    def arrived(self) -> list[Event]:
        """Everything that came in the three days for the first time."""
        return in_order([*self.prompt, *self.refused])

    @property
    def duplicates(self) -> list[Event]:
        """The events that came again, as often as they did."""
        storm = [each for each in self.prompt if each.source == GATEWAY and within(STORM, each)]
        return 2 * [*storm, *(each for each in self.prompt if each.key == ASKED_FOR)]

    @property
    def conflicts(self) -> list[Event]:
        """The events that came again with another amount."""
        return [corrected(each) for each in self.prompt if each.key in AMOUNTS]

    @property
    def again(self) -> list[Event]:
        """Everything that came again."""
        return in_order([*self.duplicates, *self.conflicts])

    @property
    def of_the_gateway(self) -> list[Event]:
        """The gateway's own record: all that it meant to send, with the second amounts."""
        meant = [*self.accepted, *self.lost, *(replace(each, offset="Z") for each in self.refused)]
        return in_order(corrected(each) for each in meant if each.source == GATEWAY)


def within(window: tuple[datetime, datetime], event: Event) -> bool:
    """Return whether an event happened in a window."""
    return window[0] <= event.when < window[1]


def in_order(events: Iterable[Event]) -> list[Event]:
    """Return events by time."""
    return sorted(events, key=lambda event: event.when)


def corrected(event: Event) -> Event:
    """Return an event with its second amount, if it has one."""
    second = AMOUNTS.get(event.key or "")
    return event if second is None else replace(event, payload=event.payload | {"amount": Number(second[1])})


def came_late(event: Event) -> bool:
    """Return whether an event came a day later: of a node of the gateway, or in a batch of the ledger."""
    node = event.source == GATEWAY and event.entity_id in ("merchant-03", "merchant-07") and within(EVENING, event)
    batch = event.source == LEDGER and event.entity_id == "merchant-05" and within(MORNING, event)
    return (node or batch) and event.key not in AMOUNTS


def incident() -> Incident:
    """Return the three days. Of the outage, the last event came late."""
    events = in_order(happened(random.Random(20251121)))  # noqa: S311  # a sample, not a secret
    refunds = [each for each in events if each.event_type == "refund.issued" and each.when >= BROKEN_SDK]
    broken = refunds[:BROKEN]
    *lost, hiding = [each for each in events if each.source == GATEWAY and within(OUTAGE, each)]
    rest = [each for each in events if each not in (*broken, *lost, hiding)]
    prompt = [each for each in rest if not came_late(each)]
    late = [hiding, *(each for each in rest if came_late(each))]
    return Incident(prompt, late, lost, [replace(each, offset="") for each in broken])
