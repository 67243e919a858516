"""Five metrics of replays that are worked off in chaos: what rows have of them, read byte by byte, and must have."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from chalicelib.aggregates.inputs import Input
from tests.e2e.chaos import Job, Witness
from tests.e2e.deployed import Deployed
from tests.unit.metrics import metric_reference

DEFINITIONS: Mapping[str, Mapping[str, Any]] = {
    "by_group": {"aggregate": "sum", "value": "/value", "group_by": ["/group"]},
    "average": {"aggregate": "avg", "value": "/value"},
    "smallest": {"aggregate": "min", "value": "/value"},
    "largest": {"aggregate": "max", "value": "/value"},
    "in_euro": {"aggregate": "count", "where": [{"path": "/group", "equals": "EUR"}]},
}

SHORT = {
    name: sha256(
        json.dumps({**each, "name": name, "time_zone": "UTC"}, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()[:8]
    for name, each in DEFINITIONS.items()
}
"""How rows call them."""

Row = Mapping[str, Any]
Key = tuple[str, str]
"""An entity and a day."""
Said = dict[str | None, Any]
"""By group, the value and how many have it; by None, how many were skipped."""


@dataclass(frozen=True)
class Expected:
    """The inputs that versions must have, and the payload of each event as it was sent."""

    inputs: dict[Key, list[Input]] = field(default_factory=lambda: defaultdict(list))
    payloads: dict[str, str] = field(default_factory=dict)

    def metric(self, name: str, *keys: Key) -> Said:
        """What a metric must say of versions together."""
        definition = DEFINITIONS[name]
        events = [(one.event_id, self.payloads[one.event_id]) for key in keys for one in self.inputs[key]]
        selected = (each for each in events if "where" not in definition or json.loads(each[1])["group"] == "EUR")
        return metric_reference.computed(definition["aggregate"], selected, grouped="group_by" in definition)


@dataclass
class AsksForTotals(Witness):
    """Also asks the API for the total of a day at each look: it is refused, or exact."""

    expected: Expected | None = None
    answers: Counter[int] = field(default_factory=Counter)

    def sees(self, job: Job) -> None:
        """A look at a job, and a question."""
        super().sees(job)
        if self.expected is None:
            return
        day = min(day for _, day in self.expected.inputs)
        query = {"start_day": day, "end_day": day, "replay_id": job["replay_id"]}
        answer = self.deployed.api.call("GET", "/metrics/by_group/values", query=query)
        self.answers[answer.status] += 1
        if answer.status == HTTPStatus.OK:
            keys = [key for key in self.expected.inputs if key[1] == day]
            assert said_by_api("by_group", answer.json()["values"]) == self.expected.metric("by_group", *keys)
        else:
            assert (answer.status, job["state"] == "COMPLETE") == (HTTPStatus.CONFLICT, False), (job, answer.data)


def define(deployed: Deployed) -> None:
    """Define the five."""
    headers = {"Content-Type": "application/json"}
    for name, definition in DEFINITIONS.items():
        answer = deployed.api.call("PUT", f"/metrics/{name}", body=json.dumps(definition).encode(), headers=headers)
        assert answer.status == 200, answer.data
        assert answer.json()["definition_sha256"].startswith(SHORT[name])


def assert_exact(versions: Mapping[Key, Row], inputs: Mapping[Key, Mapping[str, Row]], expected: Expected) -> None:
    """Every value of every version, and their total, is what fractions say, and what inputs say that they added."""
    for name, short in SHORT.items():
        said = {key: said_by_row(name, row["m"].get(short, ())) for key, row in versions.items()}
        for key, found in said.items():
            assert found == expected.metric(name, key), (name, key)
            if DEFINITIONS[name]["aggregate"] in ("sum", "count"):
                value = sum(found[group][0] for group in found if group is not None)
                assert contributed(inputs[key].values(), short) == value, (name, key)
        assert total(name, said.values()) == expected.metric(name, *expected.inputs), name


def said_by_row(name: str, groups: Iterable[list[Any]]) -> Said:
    """What the row of a version says of a metric: of each group what is folded, inputs, skipped and its text."""
    definition = DEFINITIONS[name]
    rest = metric_reference.REST if "group_by" in definition else ""
    said: Said = {None: 0}
    for folded, inputs, skipped, *group in groups:
        said[None] += int(skipped)
        if inputs:
            said[group[0] if group else rest] = _value(definition["aggregate"], folded, int(inputs)), int(inputs)
    return said


def said_by_api(name: str, metrics: Iterable[Mapping[str, Any]]) -> Said:
    """What a version that the API tells says of a metric."""
    aggregate = DEFINITIONS[name]["aggregate"]
    rest = metric_reference.REST if "group_by" in DEFINITIONS[name] else ""
    said: Said = {None: 0}
    for each in metrics:
        if each["name"] == name:
            said[None] += each["skipped"]
        if each["name"] == name and each["inputs"]:
            value = Fraction(each["sum"]) / each["inputs"] if aggregate == "avg" else Fraction(each["value"])
            found = (value, each["event_id"]) if aggregate in ("min", "max") else value
            said["".join(each["group"].values()) or rest] = found, each["inputs"]
    return said


def total(name: str, versions: Iterable[Said]) -> Said:
    """What all versions together say of a metric."""
    found = defaultdict(list)
    skipped = 0
    for said in versions:
        skipped += said[None]
        for group, of_group in said.items():
            if group is not None:
                found[group].append(of_group)
    return {group: _folded(DEFINITIONS[name]["aggregate"], values) for group, values in found.items()} | {None: skipped}


def contributed(rows: Iterable[Row], short: str) -> Fraction:
    """What the rows of inputs say that each added to a metric, added up."""
    amounts = (row.get("c", {}).get(short) for row in rows)
    return sum((Fraction(amount[0]) for amount in amounts if isinstance(amount, list)), Fraction(0))


def _folded(aggregate: str, values: list[Any]) -> Any:
    inputs = sum(count for _, count in values)
    match aggregate:
        case "avg":
            return sum((value * count for value, count in values), Fraction(0)) / inputs, inputs
        case "min" | "max":
            sign = 1 if aggregate == "min" else -1
            return min((value for value, _ in values), key=lambda each: (sign * each[0], each[1])), inputs
        case _:
            return sum(value for value, _ in values), inputs


def _value(aggregate: str, folded: Any, inputs: int) -> Any:
    if aggregate in ("min", "max"):
        number, event_id = folded
        return _number(number), bytes(event_id).hex()
    return _number(folded) / (inputs if aggregate == "avg" else 1)


def _number(stored: Any) -> Fraction:
    """Two bytes of a scale, then a coefficient."""
    scale, coefficient = (int.from_bytes(part, signed=True) for part in (bytes(stored)[:2], bytes(stored)[2:]))
    return Fraction(coefficient) / Fraction(10) ** scale
