"""DynamoDB with days of millions of events, of which only what is asked for is made; and how long reading it takes.

The adapters that are deployed read it. It knows the calls that they make, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chalicelib.aggregates.aggregate import Aggregate, Version
from chalicelib.aggregates.dynamodb_rows import version_row
from chalicelib.aggregates.ledger import NewRevision
from chalicelib.core.timestamps import Day, Instant, nanoseconds, shifted, start_of
from chalicelib.events.arrivals import Arrival, ArrivalKind
from chalicelib.events.dynamodb_rows import arrival_row, index_row
from tests.unit.examples import INGESTED, an_event, stored

T = TypeVar("T")
R = TypeVar("R")
Item = dict[str, Any]

CORE = 0.58
"""Of a core, what 1,024 MB come with: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

CALL_CPU_S = 0.0012 / CORE
"""bench/scale.md, `cpu_ms_a_call`."""

ROW_CPU_S = 0.000_0575 / CORE
"""Measured once in development: botocore and the adapter took 57.5 ms of a core for a page of 1,000 index rows."""

NO_CALL_AFTER_S = 29 - 7
"""Of a request; chalicelib/runtime/system.py begins none that it may have to wait for longer."""

LATENCIES_S = (0.010, 0.020, 0.040)
CALLS_AT_ONCE = 16
BYTES_A_READ = 1_048_576
ROW_BYTES = 755
VERSION_BYTES = 2_479
"""bench/scale.md, of a version with ten inputs or more."""
DAYS = (Day("2026-11-01"), Day("2026-12-01"))
"""The days that have events, the last one excluded."""

_ROW = re.compile(r"TS#(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)(.*)", re.DOTALL)


@dataclass
class Invocation:
    """The time of a request, which goes on with each round of calls, each call and each row that it brings."""

    rounds: int = 0
    calls: int = 0
    rows: int = 0
    a_row: int = 1
    """As how many each row counts: what reads a fiftieth of the rows at a time is tested in a fiftieth of the time."""
    _at_once: bool = False

    def seconds(self, latency_s: float) -> float:
        """How long the request has taken so far, if each round of calls takes as long."""
        return self.rounds * latency_s + self.calls * CALL_CPU_S + self.rows * self.a_row * ROW_CPU_S

    def assert_answered(self, calls_beside: int = 1) -> None:
        """Answered in time at every latency, with some calls before and after."""
        for latency_s in LATENCIES_S:
            assert self.seconds(latency_s) + calls_beside * latency_s < NO_CALL_AFTER_S, f"503 at {latency_s}"

    def call(self, rows: int = 0) -> None:
        """A call is made."""
        assert self.seconds(max(LATENCIES_S)) < NO_CALL_AFTER_S, "no call begins any more: the request is answered 503"
        self.calls += 1
        self.rows += rows
        self.rounds += not self._at_once

    def concurrently(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        """Calls at once, as many as `CONCURRENCY` lets through."""
        if self._at_once:
            return [function(item) for item in items]
        before, self._at_once = self.calls, True
        results = [function(item) for item in items]
        self._at_once = False
        self.rounds += -(-(self.calls - before) // CALLS_AT_ONCE)
        return results


def replay_id(number: int) -> str:
    """Of the n-th replay."""
    return f"{number:08x}-0000-7000-8000-000000000000"


def a_version() -> Item:
    """The row of a version."""
    version = NewRevision(Version("order-1007", DAYS[0], replay_id(0)), Aggregate(10_000_000), 0)
    return version_row(version, INGESTED)


@dataclass
class LargeTables:
    """The client that the adapters are handed; each partition of an entity, or of a type and day, is as large."""

    invocation: Invocation
    events_a_day: int
    later_arrivals: int = 0
    passes: bool = True
    """Whether rows pass the filter that DynamoDB is asked to apply."""
    versions: int = 0
    """Of each day."""
    without_inputs: frozenset[str] = frozenset()
    """Partitions of versions whose messages are no inputs."""
    version: Item = field(default_factory=a_version)
    row: Item = field(default_factory=lambda: index_row(stored(an_event()), 4, 3_600_000))

    def query(self, **asked: Any) -> Item:
        """A Query of either table."""
        values = {name: value.get("S") for name, value in asked["ExpressionAttributeValues"].items()}
        if str(values.get(":pk", "")).startswith("EVENT#"):
            return self._arrivals(values, asked)
        if ":high" not in values:
            return self._inputs(values, asked)
        if values[":low"].startswith("LAG#"):
            return self._late(values[":high"], asked)
        if "#VER#" in values[":low"]:
            return self._versions(values, asked)
        return self._events(values[":low"], values[":high"], asked)

    def _events(self, low: str, high: str, asked: Item) -> Item:
        begin, end = self._number(low), self._number(high)
        most = BYTES_A_READ // ROW_BYTES
        if asked.get("Select") == "COUNT":
            self.invocation.call()
            counted = range(begin, min(end, begin + most))
            passed = self.passes or "FilterExpression" not in asked
            return {"Count": len(counted) * passed} | self._last(counted, end)
        numbers = range(begin, min(end, begin + min(most, asked["Limit"])))
        if not asked.get("ScanIndexForward", True):
            numbers = range(max(begin, end - min(most, asked["Limit"])), end)[::-1]
        items = list(map(self._event, numbers)) if self.passes or "FilterExpression" not in asked else []
        self.invocation.call(len(items))
        more = bool(numbers) and (numbers[-1] > begin if numbers.step < 0 else numbers[-1] < end - 1)
        return {"Items": items} | ({"LastEvaluatedKey": self._key(numbers[-1])} if more else {})

    def batch_get_item(self, **asked: Any) -> Item:
        """Versions, or the inputs among messages: all of them are there."""
        [(table, wanted)] = asked["RequestItems"].items()
        found = [
            self._version(key) if "#VER#" in key["SK"]["S"] else key | {"outcome": {"S": "INPUT"}}
            for key in wanted["Keys"]
        ]
        self.invocation.call(len(found))
        return {"Responses": {table: found}}

    def _version(self, key: Item) -> Item:
        return self.version | key | {"replay_id": {"S": key["SK"]["S"].rpartition("#")[2]}}

    def _versions(self, values: dict[str, Any], asked: Item) -> Item:
        """A page of a day's versions, the newest first; none is of a raw object."""
        low, high = values[":low"], values[":high"]
        of_replays = range(0 if low.endswith("#VER#g") else self.versions)
        before = re.search(r"VER#([0-9a-f]{8})-.*~$", high)
        numbers = of_replays[: int(before[1], 16) if before else None][::-1]
        some = numbers[: min(asked["Limit"], BYTES_A_READ // VERSION_BYTES)]
        rows = [self._version({"PK": self.row["PK"], "SK": {"S": low + replay_id(number)}}) for number in some]
        self.invocation.call(len(rows))
        return {"Items": rows} | ({"LastEvaluatedKey": rows[-1]} if len(some) < len(numbers) else {})

    def _inputs(self, values: dict[str, Any], asked: Item) -> Item:
        """A page of a version's messages, which are as many as the events of the day; all, or none, are inputs."""
        begin = 0 if values[":low"] == "TS#" else self._number(values[":low"])
        end = self._number(f"TS#{DAYS[0]}T23:59:59.999999999Z")
        numbers = range(begin, min(end, begin + asked["Limit"]))
        wanted = values[":pk"] not in self.without_inputs
        rows = [self._event(number) for number in numbers] if wanted else []
        self.invocation.call(len(rows))
        return {"Items": rows} | self._last(numbers, end)

    def _late(self, high: str, asked: Item) -> Item:
        """A full page of late arrivals, the latest of which is a million milliseconds late."""
        before = re.match(r"LAG#(\d{15})", high)
        end = int(before[1]) if before else 1_000_000
        rows = [
            self._event(number) | {"lag": {"S": f"LAG#{number:015d}#EID#{number:064x}"}}
            for number in range(end - asked["Limit"], end)[::-1]
        ]
        self.invocation.call(len(rows))
        return {"Items": rows, "LastEvaluatedKey": rows[-1]}

    def _last(self, numbers: range, end: int) -> Item:
        return {"LastEvaluatedKey": self._key(numbers[-1])} if numbers and numbers[-1] < end - 1 else {}

    def _number(self, bound: str) -> int:
        """Of the first row at or after a bound."""
        match = _ROW.fullmatch(bound)
        assert match, bound
        instant = Instant(min(max(match[1], start_of(DAYS[0])), start_of(DAYS[1])))
        since = nanoseconds(instant) - nanoseconds(start_of(DAYS[0]))
        number, within = divmod(since, self._step)
        return number + bool(within or match[2])

    def _key(self, number: int) -> Item:
        sort_key = f"TS#{self._time(number)}#EID#{number:064x}"
        return {"PK": self.row["PK"], "SK": {"S": sort_key}}

    def _event(self, number: int) -> Item:
        return (
            self.row
            | self._key(number)
            | {"event_id": {"S": f"{number:064x}"}, "event_time": {"S": self._time(number)}}
        )

    def _time(self, number: int) -> Instant:
        return shifted(start_of(DAYS[0]), number * self._step)

    @property
    def _step(self) -> int:
        return 86_400_000_000_000 // self.events_a_day

    def _arrivals(self, values: dict[str, Any], asked: Item) -> Item:
        """A page of an event's later arrivals, the first at position 0."""
        if ":kind" in values or ("Limit" in asked and ":low" not in values):
            self.invocation.call()
            return {"Items": []}
        event_id = values[":pk"].removeprefix("EVENT#")
        after = re.search(r"#(\d{4})~$", values[":low"])
        numbers = range(self.later_arrivals)[int(after[1]) + 1 if after else 0 :][: asked["Limit"]]
        items = [arrival_row(_arrival(event_id, number)) for number in numbers]
        self.invocation.call(len(items))
        more = bool(items) and numbers[-1] < self.later_arrivals - 1
        return {"Items": items} | ({"LastEvaluatedKey": items[-1]} if more else {})


def _arrival(event_id: str, number: int) -> Arrival:
    return Arrival(
        ArrivalKind.DUPLICATE, event_id, INGESTED, request_id="request", position=number, content_sha256="00" * 32
    )
