"""Metrics of a replay: the same state to the last digit, whatever happens to its messages, in the days of calendars."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib.aggregates.dynamodb_rows import aggregate_of_row, version_row
from chalicelib.aggregates.ledger import Counts, NewRevision, Outcome
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.errors import NotFound, TryAgain
from chalicelib.core.lossless_json import JsonText, Reader, parse
from chalicelib.metrics.contribution import NothingToContribute
from chalicelib.metrics.definition import BUILT_IN, Definition, definition_of
from chalicelib.processing.measuring import LostDefinition
from chalicelib.replays.messages import ObjectReference, ReplayMessage
from tests.sizes import times
from tests.unit.examples import INGESTED, event_in, native
from tests.unit.in_memory import Troubles
from tests.unit.json_trees import randoms
from tests.unit.processing.test_processor import World


def defined(**members: Any) -> Definition:
    return definition_of(parse(json.dumps(members)))


REVENUE = defined(name="revenue", aggregate="sum", value="/amount", event_types=["paid"], group_by=["/currency"])
LARGEST = defined(name="largest", aggregate="max", value="/amount", time_zone="Europe/Paris")
AVERAGE = defined(name="average", aggregate="avg", value="/amount", time_zone="America/New_York")
IN_EURO = defined(name="in_euro", aggregate="count", where=[{"path": "/currency", "equals": "EUR"}])
ALL_IN_INDIA = defined(name="all_in_india", aggregate="count", time_zone="Asia/Kolkata")
PINNED = (REVENUE, LARGEST, AVERAGE, IN_EURO, ALL_IN_INDIA)


@dataclass
class Defined:
    """Definitions in memory, and how often they were asked for."""

    definitions: dict[str, Definition] = field(default_factory=lambda: {each.sha256: each for each in PINNED})
    asked: int = 0

    def by_hash(self, hashes: Collection[str]) -> list[Definition]:
        self.asked += 1
        if not self.definitions.keys() >= set(hashes):
            raise NotFound("unknown")
        return [self.definitions[each] for each in hashes]


def world(*pinned: Definition, **members: Any) -> World:
    """A world whose replays compute these."""
    made = World(definitions=Defined(), **members)
    made.states.metrics = tuple(each.sha256 for each in pinned)
    return made


@dataclass(frozen=True)
class Sent:
    """An event by what metrics take of it, the amount as it is written."""

    time: str
    event_type: str
    amount: str
    currency: str

    @property
    def text(self) -> str:
        members = native(event_type=self.event_type, event_time=self.time, payload="PAYLOAD")
        payload = f'{{"amount": {self.amount}, "currency": "{self.currency}"}}'
        return json.dumps(members).replace('"PAYLOAD"', payload)


def store(in_: World, *sent: Sent) -> list[ReplayMessage]:
    return in_.store_events([event_in(each.text) for each in sent])


# The clock of Paris is put back in the night to the 26th, that of New York a week later.
times_of_day = st.builds(
    lambda day, hour: f"{day}T{hour:02}:30:00.000000000Z",
    st.sampled_from(["2025-10-25", "2025-10-26", "2025-11-01", "2025-11-02", "2025-11-03"]),
    st.integers(0, 23),
)
amounts = st.sampled_from(["1.10", "-0", "1E+3", "1e-400", "1e401", str(2**103), "-0.1", "true", '"7"', "0.30"])
sent_events = st.lists(
    st.builds(Sent, times_of_day, st.sampled_from(["paid", "void"]), amounts, st.sampled_from(["EUR", "USD"])),
    min_size=1,
    max_size=12,
    unique=True,
)


def number(literal: str) -> Fraction | None:
    """The reference: what a literal is, if a metric takes it."""
    match = re.fullmatch(r"(-?[0-9.]+)(?:[eE]([+-]?[0-9]+))?", literal)
    if match is None or abs(int(match[2] or 0)) > 400:
        return None
    return Fraction(match[1]) * Fraction(10) ** int(match[2] or 0)


def fits_a_group(amount: Fraction) -> bool:
    """Whether a number has at most 128 digits on each side of its point."""
    return abs(amount) < 10**128 and (amount * 10**128).denominator == 1


def local_day(time: str, zone: str) -> str:
    return datetime.fromisoformat(f"{time[:19]}+00:00").astimezone(ZoneInfo(zone)).date().isoformat()


def expected(sent: list[Sent]) -> dict[tuple[str, str, str, str], Any]:
    """By name, day and group: what metrics come to, computed with fractions in one go."""
    found: dict[tuple[str, str, str, str], list[Any]] = defaultdict(list)
    for each in sent:
        amount = number(each.amount)
        if each.event_type == "paid" and amount is not None:
            found["revenue", "UTC", each.time[:10], each.currency if fits_a_group(amount) else ""].append(amount)
        if each.currency == "EUR":
            found["in_euro", "UTC", each.time[:10], ""].append(1)
        if amount is not None:
            found["largest", "Europe/Paris", local_day(each.time, "Europe/Paris"), ""].append(amount)
            found["average", "America/New_York", local_day(each.time, "America/New_York"), ""].append(amount)
        found["all_in_india", "Asia/Kolkata", local_day(each.time, "Asia/Kolkata"), ""].append(1)
    fold: dict[str, Callable[[list[Any]], Any]] = {
        "largest": max,
        "average": lambda values: sum(values) / len(values),
    }
    return {key: fold.get(key[0], sum)(values) for key, values in found.items()}


def computed(in_: World) -> dict[tuple[str, str, str, str], Any]:
    """The same, as versions say it once they were rows."""
    found: dict[tuple[str, str, str, str], Any] = {}
    for version, snapshot in in_.aggregates.versions_written.items():
        row = from_item(version_row(NewRevision(version, snapshot.aggregate, snapshot.revision), INGESTED))
        definitions = tuple(state.definition for state in snapshot.aggregate.states.values())
        again = aggregate_of_row(row, definitions)
        assert again == snapshot.aggregate
        for each in again.metrics:
            if each["inputs"] and each["name"] != BUILT_IN[0].name:
                value = Fraction(each["sum"]) / each["inputs"] if "sum" in each else Fraction(each["value"])
                found[each["name"], version.calendar, version.day, each["group"].get("/currency", "")] = value
    return found


@settings(max_examples=times(150), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(sent_events, st.lists(st.sampled_from(["none", "refused", "lost"]), max_size=12), randoms)
def test_metrics_are_exact_whatever_happens_to_messages(sent: list[Sent], troubles: list[str], rng: Random) -> None:
    """Batches interleave at every write, calls fail before or after they are done, and what failed comes again."""
    own = world(*PINNED, troubles=Troubles(iter(troubles)), rng=rng)
    messages = store(own, *sent)
    deliveries = [own.delivery(message) for message in messages for _ in range(rng.randint(1, 3))]
    rng.shuffle(deliveries)

    def process_some() -> None:
        if deliveries:
            batch = [deliveries.pop() for _ in range(rng.randint(1, min(10, len(deliveries))))]
            failures = own.process(batch).failures
            deliveries.extend(delivery for delivery in batch if delivery.message_id in failures)
            rng.shuffle(deliveries)

    def meanwhile() -> None:
        if rng.random() < 0.3:
            process_some()

    own.aggregates.meanwhile = meanwhile
    own.aggregates.tells = lambda: rng.random() < 0.5
    for _ in range(200):  # far more than all troubles and contention can take
        process_some()

    assert deliveries == []
    assert computed(own) == expected(sent)
    assert own.counts() == Counts(processed=len(messages))
    for version, snapshot in own.aggregates.versions_written.items():
        assert len(own.aggregates.inputs_of(version)) == snapshot.aggregate.event_count


ONE = Sent("2025-10-25T22:30:00.000000000Z", "paid", "1.10", "EUR")


def test_a_message_is_written_into_the_versions_of_all_calendars_at_once() -> None:
    own = world(*PINNED)
    [message] = store(own, ONE)

    own.deliver(message)

    assert own.aggregates.calls == ["read", "write"]
    assert {(version.calendar, version.day) for version in own.aggregates.versions_written} == {
        ("UTC", "2025-10-25"),
        ("Europe/Paris", "2025-10-26"),
        ("America/New_York", "2025-10-25"),
        ("Asia/Kolkata", "2025-10-26"),
    }
    assert own.counts() == Counts(processed=1)


def test_what_is_built_in_is_of_utc_days_alone() -> None:
    own = world(LARGEST)
    own.deliver(*store(own, ONE))

    names = {
        version.calendar: [each["name"] for each in snapshot.aggregate.metrics]
        for version, snapshot in own.aggregates.versions_written.items()
    }
    assert names == {"UTC": ["daily_event_count"], "Europe/Paris": ["largest"]}


def test_a_replay_without_definitions_asks_for_none_and_writes_what_it_always_wrote() -> None:
    own = world()
    own.deliver(*store(own, ONE))

    assert isinstance(own.definitions, Defined)
    assert own.definitions.asked == 0
    [(version, snapshot)] = own.aggregates.versions_written.items()
    row = version_row(NewRevision(version, snapshot.aggregate, 0), INGESTED)
    assert "m" not in row
    assert [each["name"] for each in from_item(row)["metrics"]] == ["daily_event_count"]


def test_an_event_that_lacks_what_a_metric_must_have_fails_alone() -> None:
    strict = defined(name="strict", aggregate="sum", value="/amount", on_missing="fail")
    own = world(strict)
    own.definitions = Defined({strict.sha256: strict})
    lacking, sound = store(own, Sent(ONE.time, "paid", "null", "EUR"), ONE)

    report = own.deliver(lacking, sound)

    [error] = report.failures.values()
    assert isinstance(error, NothingToContribute)
    assert "The metric strict needs a value" in str(error)
    assert (own.outcome(lacking), own.outcome(sound)) == (None, Outcome.INPUT)


def test_a_definition_that_is_lost_fails_the_messages_of_its_replay() -> None:
    own = world(defined(name="lost", aggregate="count"))

    [error] = own.deliver(*store(own, ONE)).failures.values()

    assert isinstance(error, LostDefinition)


def test_a_reference_to_an_object_computes_what_is_built_in() -> None:
    own = world(REVENUE)
    [message] = store(own, ONE)

    own.deliver(ObjectReference(s3_bucket=message.s3_bucket, s3_key=message.s3_key))

    [snapshot] = own.aggregates.versions_written.values()
    assert [each["name"] for each in snapshot.aggregate.metrics] == ["daily_event_count"]


def test_definitions_that_cannot_be_read_now_send_messages_back() -> None:
    class Throttled:
        def by_hash(self, hashes: Collection[str]) -> list[Definition]:
            raise TryAgain(f"throttled {len(hashes)}")

    own = world(REVENUE)
    own.definitions = Throttled()
    [message] = store(own, ONE)

    assert len(own.deliver(message).failures) == 1
    assert own.outcome(message) is None
    assert own.value(message.entity_id) == 0


def test_the_text_of_an_event_is_parsed_once_for_its_check_and_its_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    read = Reader.value
    in_ = world(REVENUE, LARGEST)
    [message] = store(in_, Sent("2026-10-25T10:30:00Z", "paid", "1.10", "EUR"))

    def read_and_noted(reader: Reader) -> JsonText:
        found = read(reader)
        texts.append(found.text)
        return found

    monkeypatch.setattr(Reader, "value", read_and_noted)
    report = in_.deliver(message)

    assert (report.failures, report.aggregate_writes) == ({}, 1)
    assert ["1.10" in text for text in texts] == [True]
