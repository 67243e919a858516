#!/usr/bin/env python3
"""Write a week of a city's bike rental as native events, one a line, the same bytes at every run.

    examples/bike_week.py > bike-week.ndjson

The lines are in the order of their arrival. README.md says what they contain.
"""

import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

MONDAY = datetime(2025, 11, 24, tzinfo=UTC)
WEDNESDAY = MONDAY + timedelta(days=2)
DAYS = 7
CENTRAL_EUROPE = timezone(timedelta(hours=1))
PHONES = (CENTRAL_EUROPE, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30)))
"""Phones keep the time zone that their owners came from."""

BIKES = 4
OFFLINE_BIKE = 3
RIDERS = ("zoë.brontë", "łukasz.wójcik", "李雷", "Δήμητρα", "siân", "ana-maría", "jürgen", "שירה", "o'neill", "🚲-fan")
STATIONS = ("station:rynek-główny/north", "station:Δημαρχείο/2")
REPORTS_OF_WEDNESDAY = 1_100
"""On Wednesday the sensor of the first station reported every 40 seconds instead of every two hours."""
RENTALS_A_DAY = 14
NOTES = (
    "Kette \N{SPARKLES}",
    'said "stop"\tthen left',
    "C:\\bikes\\7",
    "e\u0301 is not é",
    "one line\u2028or two?",
    "",
)
ACCOUNT = "123456789012"
PEOPLE = (f"arn:aws:iam::{ACCOUNT}:user/reports", f"arn:aws:sts::{ACCOUNT}:assumed-role/analyst/maría.núñez")

Json = dict[str, Any]
Clock = tuple[timezone, int]
"""A time zone, and how many digits of a second are told."""


@dataclass(frozen=True)
class Producer:
    """A source, and how it writes JSON and the time."""

    source: str
    clocks: tuple[Clock, ...]
    ascii_only: bool = False
    separators: tuple[str, str] = (",", ":")

    def line(self, event: "Event") -> str:
        """Return an event as this producer writes it."""
        zone, digits = self.clocks[event.nanosecond % len(self.clocks)]
        members = {
            "source": self.source,
            "event_type": event.event_type,
            "entity_id": event.entity_id,
            "event_time": moment(event.when, event.nanosecond, zone, digits),
            "payload": event.payload,
            **({} if event.key is None else {"idempotency_key": event.key}),
        }
        return text(members, ensure_ascii=self.ascii_only, separators=self.separators)


@dataclass(frozen=True)
class Event:
    """What happened, and how long it took to arrive."""

    producer: Producer
    event_type: str
    entity_id: str
    when: datetime
    payload: Any
    nanosecond: int = 0
    key: str | None = None
    delay: timedelta = field(default=timedelta(0))


LOCKS = Producer("bikes/locks", ((CENTRAL_EUROPE, 3),), separators=(", ", ": "))
DOCKS = Producer("stations/docks", ((UTC, 0),))
APP = Producer("app/rentals", tuple((zone, 6) for zone in PHONES), ascii_only=True)
PAYMENTS = Producer("payments/northpay", ((UTC, 9),))
ROUTES = Producer("maps/routes", ((UTC, 0),), ascii_only=True, separators=(", ", ":"))
AUDIT = Producer("aws.cloudtrail/s3.amazonaws.com", ((UTC, 0),))


def number(literal: str) -> str:
    """Return a number by its digits: 1.10 stays 1.10 in text()."""
    return f"\0{literal}"


def text(members: Json, **style: Any) -> str:
    """Return JSON on one line."""
    return re.sub(r'"\\u0000([-+.0-9E]+)"', r"\1", json.dumps(members, **style))


def moment(when: datetime, nanosecond: int, zone: timezone, digits: int) -> str:
    """Return an instant in RFC 3339."""
    local = when.astimezone(zone).replace(microsecond=0).isoformat()
    fraction = f".{nanosecond:09d}"[: digits + 1] if digits else ""
    return (local[:19] + fraction + local[19:]).replace("+00:00", "Z")


def seconds(count: float) -> timedelta:
    """Return a time span."""
    return timedelta(seconds=count)


def locks(chance: random.Random) -> Iterator[Event]:
    """Yield what the locks of bikes say; one bike had no network on Tuesday, and told everything on Thursday."""
    for hour in range(0, 24 * DAYS, 4):
        for bike in range(1, BIKES + 1):
            when = MONDAY + seconds(hour * 3600 + chance.randrange(-3_000, 10_000))
            offline = bike == OFFLINE_BIKE and when.date() == (MONDAY + timedelta(days=1)).date()
            kind = ("lock.opened", "lock.closed", "battery.reported")[hour // 4 % 3]
            charge = number(f"{chance.randrange(20, 100) / 100:.2f}")
            payload = charge if kind == "battery.reported" else {"charge": charge, "note": chance.choice(NOTES)}
            delay = timedelta(days=2) if offline else seconds(chance.randrange(60))
            yield Event(LOCKS, kind, f"bike:{bike:04d}", when, payload, chance.randrange(10**9), delay=delay)


def docks(chance: random.Random) -> Iterator[Event]:
    """Yield the reports of stations, two of which are always of the same instant."""
    times = [(station, MONDAY + timedelta(hours=hour)) for hour in range(0, 24 * DAYS, 2) for station in STATIONS]
    times += [(STATIONS[0], WEDNESDAY + seconds(21_600 + 40 * count)) for count in range(REPORTS_OF_WEDNESDAY)]
    for sequence, (station, when) in enumerate(times, 2**53):
        free = chance.randrange(20)
        sent_at = number(f"{when.timestamp() / 1e9:.9f}E9")
        payload = {"sequence": sequence, "free": free, "sent_at": sent_at, "load": number(f"{free * 50}E-3")}
        yield Event(DOCKS, "dock.reported" if free else "dock.full", station, when, payload)


def rentals(chance: random.Random) -> Iterator[Event]:
    """Yield rentals with their payments; what phones say arrives up to some hours late."""
    for count in range(RENTALS_A_DAY * DAYS):
        # Each day three others ride.
        rider = RIDERS[(2 * (count // RENTALS_A_DAY) + chance.randrange(3)) % len(RIDERS)]
        fraction = chance.randrange(10**9)
        begin = MONDAY + seconds(count * 86_400 // RENTALS_A_DAY + chance.randrange(3_000))
        end, delay = begin + seconds(chance.randrange(120, 5_000)), seconds(chance.choice((1, 5, 9_000)))
        bike = {"bike": f"bike:{chance.randrange(BIKES) + 1:04d}", "rental": number(str(2**102 + count))}
        who, returned = f"rider:{rider}@example.org", bike | {"stars": None}
        yield Event(APP, "rental.started", who, begin, bike, fraction, f"{count}/started", delay)
        yield Event(APP, "rental.ended", who, end, returned, fraction, f"{count}/ended", delay)
        amount = {"amount": number(f"{chance.randrange(11, 90) / 10:.2f}"), "currency": "EUR", "rental": bike["rental"]}
        key = f"evt_{chance.randrange(16**10):010x}"
        yield Event(PAYMENTS, "payment.captured", f"wallet/{rider}/eur", end, amount, fraction, key, delay)


def routes(chance: random.Random) -> Iterator[Event]:
    """Yield planned routes: long, and each leg within the one before."""
    for count in range(2 * DAYS):
        legs: Json = {"arrived": True}
        for leg in range(30):
            at = [number(f"{chance.uniform(-1, 1):.12f}"), number(f"-{leg}.0E+00"), -0.0]
            legs = {"leg": leg, "street": "ulica Świętego Tomasza 5 " * 3, "at": at, "then": [legs]}
        when = MONDAY + timedelta(hours=12 * count, minutes=7)
        yield Event(ROUTES, "route.planned", f"rider:{RIDERS[count % 3]}@example.org", when, legs, key=f"route-{count}")


def audit(chance: random.Random) -> Iterator[Event]:
    """Yield CloudTrail records of a bucket with reports; CloudTrail delivers some minutes late."""
    for count in range(6 * DAYS):
        when = MONDAY + seconds(count * 14_400 + chance.randrange(900))
        who, name = PEOPLE[count % 2], ("GetObject", "PutObject", "ListObjects")[count % 3]
        key = f"{chance.randrange(16**8):08x}-reports-{count}"
        record = {
            "eventVersion": "1.08",
            "userIdentity": {"type": "IAMUser", "arn": who, "accountId": ACCOUNT},
            "eventTime": moment(when, 0, UTC, 0),
            "eventSource": "s3.amazonaws.com",
            "eventName": name,
            "requestParameters": {"bucketName": "bike-reports", "key": f"tydzień/{count}.csv"},
            "additionalEventData": {"bytesTransferredOut": number(f"{chance.randrange(10**6) / 10:.1f}")},
            "eventID": key,
        }
        yield Event(AUDIT, name, who, when, record, key=key, delay=seconds(chance.randrange(60, 900)))


def lines() -> list[str]:
    """Return the lines in the order of their arrival."""
    chance = random.Random(20251124)  # noqa: S311  # a sample, not a secret
    events = [event for part in (locks, docks, rentals, routes, audit) for event in part(chance)]
    return [event.producer.line(event) for event in sorted(events, key=lambda event: event.when + event.delay)]


if __name__ == "__main__":
    sys.stdout.buffer.write("".join(f"{line}\n" for line in lines()).encode())
