"""Totals: equal to fractions over the raw events, however folding is cut, ended and repeated by other requests."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from hashlib import sha256, shake_256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Aggregate, Definitions, Version, aggregate_of, definitions_in
from chalicelib.aggregates.dynamodb_totals import total_of_row, total_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.total import ReplayedDay, Total
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.calendars import day_in, window_in
from chalicelib.core.errors import WriteConflict
from chalicelib.core.lossless_json import parse
from chalicelib.core.read_budget import PaidReads, ReadsSpent
from chalicelib.core.timestamps import Day, Instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.metrics.contribution import contributions, measured
from chalicelib.metrics.definition import BUILT_IN, Definition
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.request import ReplayRequest
from chalicelib.totals.coverage import Computed
from chalicelib.totals.walk import FoldTotals
from tests.unit.definitions_in_memory import defined
from tests.unit.examples import INGESTED, an_event, stored
from tests.unit.in_memory import Ended, Rows, at, one_by_one
from tests.unit.ledger_in_memory import Aggregates

DAY = Day("2026-03-29")
"""Of 23 hours in Paris."""

ZONES = ("UTC", "Europe/Paris")
ENTITIES = ("depot-lyon", "depot-nantes", "depot-brest", "a#%b")
SHARDS = 2

Sold = tuple[str, str, str, int, bool]
"""Who sold what for which literal, in which minute from the evening before, and whether the replay had it."""

sales = st.lists(
    st.tuples(
        st.sampled_from(ENTITIES),
        st.sampled_from(("EUR", "USD", "")),
        st.integers(-(2**103), 2**103).map(str) | st.sampled_from(("1.10", "-0", "1E+3", "1e-400", "1e401", '"1"')),
        st.integers(0, 1_800),
        st.booleans(),
    ),
    max_size=24,
)

budgets = st.integers(60_000, 600_000)
"""Microseconds of a request: those of one round of reads at least."""


def metrics(zone: str) -> tuple[Definition, ...]:
    of_sum = {"aggregate": "sum", "value": "/amount", "group_by": ["/currency"]}
    of_max = {"aggregate": "max", "value": "/amount"}
    return tuple(
        defined(name=name, time_zone=zone, **members) for name, members in (("revenue", of_sum), ("largest", of_max))
    )


@dataclass(frozen=True)
class Sale:
    """A sale, as the index and as the raw line have it."""

    event: StoredEvent
    text: str
    amount: str
    currency: str
    had: bool

    def input_of(self, definitions: Definitions) -> Input:
        event = self.event
        contributed = contributions(definitions, measured(event.event_id, event.event_type, parse(self.text).value))
        return Input(event.event_time, event.event_id, event.event_type, event.content_sha256, contributed)


def sale(number: int, said: Sold) -> Sale:
    entity_id, currency, amount, minute, had = said
    hours, minutes = divmod(20 * 60 + minute, 60)
    days, hours = divmod(hours, 24)
    moment = f"2026-03-{28 + days}T{hours:02d}:{minutes:02d}:00.{number:09d}Z"
    payload = f'{{"amount":{amount},"currency":{json.dumps(currency)}}}'
    members = {"event_time": moment, "entity_id": entity_id, "event_type": ("paid", "repaid")[number % 2]}
    event = stored(an_event(**members, payload={"number": number}))
    return Sale(event, f'{{"source":"shop/checkout","payload":{payload}}}', amount, currency, had)


@dataclass
class Versions(Aggregates):
    """Versions of one replay, by entity."""

    by_entity: dict[str, Aggregate] = field(default_factory=dict)

    def of_entities(self, of: Version, entity_ids: Collection[str]) -> list[AggregateVersion]:
        assert len(entity_ids) <= 100
        self.calls.append("of_entities")
        found = ((each, self.by_entity[each]) for each in entity_ids if each in self.by_entity)
        return [AggregateVersion(replace(of, entity_id=each), aggregate, INGESTED) for each, aggregate in found]


@dataclass
class TotalsInMemory:
    """Totals as rows have them. Before and after each write, something may happen."""

    rows: dict[ReplayedDay, Mapping[str, Any]] = field(default_factory=dict)
    definitions: Definitions = ()
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    written: list[Total] = field(default_factory=list)

    def kept(self, days: Collection[ReplayedDay], definitions: Mapping[str, Definitions]) -> dict[ReplayedDay, Total]:
        there = {day: self.rows[day] for day in days if day in self.rows}
        return {day: total_of_row(day, row, definitions[day.replay_id]) for day, row in there.items()}

    def keep(self, total: Total, now: Instant) -> Total:
        self.before()
        if self.rows.get(total.of, {"revision": 0})["revision"] != total.revision:
            raise WriteConflict("kept meanwhile")
        kept = replace(total, computed_at=now, revision=total.revision + 1)
        self.rows[total.of] = from_item(total_row(kept))
        self.written.append(kept)
        self.after()
        return kept


@dataclass
class Folding:
    """A replay of a day, and what a request for its total does with a budget."""

    sold: list[Sale]
    zone: str = "UTC"
    page_size: int = 3
    totals: TotalsInMemory = field(default_factory=TotalsInMemory)
    processed: int = 5

    @cached_property
    def definitions(self) -> Definitions:
        return definitions_in(self.zone, metrics(self.zone))

    @cached_property
    def versions(self) -> Versions:
        inputs: dict[str, list[Input]] = defaultdict(list)
        for each in self.of_day:
            if each.had:
                inputs[each.event.entity_id].append(each.input_of(self.definitions))
        return Versions(by_entity={name: aggregate_of(some, self.definitions) for name, some in inputs.items()})

    @property
    def of_day(self) -> list[Sale]:
        return [each for each in self.sold if day_in(self.zone, each.event.event_time) == DAY]

    @cached_property
    def computed(self) -> Computed:
        window = window_in(self.zone, DAY)
        asked = {"source": "shop/checkout", "event_types": ["paid", "repaid"]}
        request = ReplayRequest.model_validate(asked | {"start_time": window.start, "end_time": window.end})
        job = ReplayJob("replay-1", request, "somebody", INGESTED, INGESTED, shards=SHARDS, state=JobState.SENT)
        job = replace(job, sent=self.processed, processed=self.processed)
        return Computed(job, metrics(self.zone)[0], DAY)

    def ask(self, budget_us: int = 10**9) -> Total:
        """One request for the total."""
        index = Rows({each.event.event_id: (each.event, "writer") for each in self.sold})
        index.page_size = lambda: self.page_size
        reads = PaidReads(one_by_one, budget_us)
        kept = self.totals.kept([self.computed.of], {"replay-1": self.definitions}).get(self.computed.of)
        return FoldTotals(self.versions, index, self.totals, at(), reads).of(self.computed, self.definitions, kept)

    def ask_until_whole(self, budget_us: int) -> Total:
        """Requests one after the other, as a client that follows cursors sends them."""
        for _ in range(100):
            try:
                return self.ask(budget_us)
            except (ReadsSpent, WriteConflict, Ended):
                continue
        raise AssertionError("folding makes no progress")

    def assert_exact(self, total: Total) -> None:
        had = [each for each in self.of_day if each.had]
        revenue, largest = (
            total.aggregate.states.values() if self.zone != "UTC" else list(total.aggregate.states.values())[1:]
        )
        found = {each["group"].get("/currency"): each for each in revenue.members}
        expected = revenue_of(had)
        assert {group: Fraction(each["value"]) for group, each in found.items() if each["inputs"]} == expected
        numbers = [number for each in had if (number := fraction(each.amount)) is not None]
        [biggest] = largest.members
        assert (biggest["value"] and Fraction(biggest["value"])) == max(numbers, default=None)
        assert total.versions == len({each.event.entity_id for each in had})
        assert total.aggregate.event_count == len(had)
        assert total.aggregate.inputs_hash == hash_of(had)
        assert total.folded_to is None


def fraction(literal: str) -> Fraction | None:
    """The number of a literal; none of the samples is too long, and one has too large an exponent."""
    return None if literal in ('"1"', "1e401") else Fraction(literal)


def revenue_of(had: list[Sale]) -> dict[str | None, Fraction]:
    """By currency; 1e-400 has too many digits for a group."""
    found: dict[str | None, Fraction] = {}
    for each in had:
        number = fraction(each.amount)
        if number is not None:
            group = None if each.amount == "1e-400" else each.currency
            found[group] = found.get(group, Fraction(0)) + number
    return found


def hash_of(had: list[Sale]) -> str:
    product = 1
    for each in had:
        text = f"retrace:inputs-hash\n{each.event.event_id}\n{each.event.content_sha256}\n"
        product = product * int.from_bytes(shake_256(text.encode()).digest(384), "little") % (2**3072 - 1_103_717)
    return sha256(product.to_bytes(384, "little")).hexdigest()


def all_of(said: list[Sold]) -> list[Sale]:
    return [sale(number, each) for number, each in enumerate(said)]


@given(sales, st.sampled_from(ZONES), st.integers(1, 9), budgets)
def test_a_total_is_the_exact_sum_of_the_inputs_however_its_folding_is_cut(
    said: list[Sold], zone: str, page_size: int, budget_us: int
) -> None:
    folding = Folding(all_of(said), zone, page_size)

    folding.assert_exact(folding.ask_until_whole(budget_us))
    assert folding.ask(0) == folding.totals.written[-1]


def test_a_request_goes_on_where_the_last_one_ended() -> None:
    folding = Folding([sale(number, (f"depot-{number}", "EUR", "1.10", 600 + number, True)) for number in range(12)])

    total = folding.ask_until_whole(100_000)

    folding.assert_exact(total)
    assert total.revision > 1


@given(sales, st.lists(st.sampled_from(("before", "after", "no")), max_size=8), budgets)
def test_a_request_that_ends_between_two_slices_harms_nothing(
    said: list[Sold], ends: list[str], budget_us: int
) -> None:
    folding, ahead = Folding(all_of(said)), iter(ends)
    moments = {"now": "no"}

    def before() -> None:
        moments["now"] = next(ahead, "no")
        if moments["now"] == "before":
            raise Ended

    def after() -> None:
        if moments["now"] == "after":
            raise Ended

    folding.totals.before, folding.totals.after = before, after

    folding.assert_exact(folding.ask_until_whole(budget_us))


@given(sales, budgets, budgets)
def test_of_requests_that_fold_the_same_day_at_once_all_get_the_same_total(
    said: list[Sold], budget_us: int, other_us: int
) -> None:
    folding = Folding(all_of(said))
    of_others = iter((other_us, 10**9))

    def others_first() -> None:
        budget = next(of_others, None)
        if budget is not None:
            ask_quietly(folding, budget)

    folding.totals.before = others_first

    total = folding.ask_until_whole(budget_us)

    folding.assert_exact(total)
    whole = [each for each in folding.totals.written if each.folded_to is None]
    assert whole == [total]


def ask_quietly(folding: Folding, budget_us: int) -> None:
    try:
        folding.ask(budget_us)
    except (ReadsSpent, WriteConflict):
        return


@given(sales)
def test_what_a_redrive_processes_later_is_in_the_next_total(said: list[Sold]) -> None:
    every = all_of(said)
    folding = Folding([replace(each, had=each.had and number % 2 == 0) for number, each in enumerate(every)])
    folding.assert_exact(folding.ask())

    redriven = Folding(every, totals=folding.totals, processed=6)

    redriven.assert_exact(redriven.ask())


def test_the_total_of_no_version_has_the_values_of_no_input() -> None:
    total = Folding([]).ask()

    values = [members["value"] for members in total.aggregate.metrics]
    assert (values, total.versions) == (["0", None, None], 0)
    assert [state.definition for state in total.aggregate.states.values()][: len(BUILT_IN)] == list(BUILT_IN)


def test_a_thousand_versions_are_ten_reads_and_one_write() -> None:
    folding = Folding([sale(number, (f"depot-{number}", "EUR", "0.01", 600, True)) for number in range(1_000)])
    folding.page_size = 1_000

    total = folding.ask()

    folding.assert_exact(total)
    assert (total.versions, folding.versions.calls) == (1_000, ["of_entities"] * 10)
    assert folding.totals.written == [total]
