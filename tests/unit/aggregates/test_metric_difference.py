"""The events of a metric's difference add up to it, by the definition that each version has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Aggregate, Definitions, Version, aggregate_of
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ports import AggregateVersion, InputsPage
from chalicelib.aggregates.queries import DiffQuery
from chalicelib.aggregates.responses import difference
from chalicelib.aggregates.tracing import TraceVersions
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.core.lossless_json import parse
from chalicelib.core.timestamps import Day, Instant
from chalicelib.metrics.contribution import contributions, measured
from chalicelib.metrics.definition import BUILT_IN, Definition
from tests.unit.aggregates.test_diff import Contents, History, input_keys
from tests.unit.aggregates.values_in_memory import stored_metrics
from tests.unit.definitions_in_memory import defined
from tests.unit.examples import INGESTED
from tests.unit.in_memory import Jobs, one_by_one
from tests.unit.json_trees import randoms

REVENUE = defined(name="revenue", aggregate="sum", value="/amount", group_by=["/currency"])
NET = defined(name="revenue", aggregate="sum", value="/net")
PAID = defined(name="revenue", aggregate="count", where=[{"path": "/currency", "equals": "EUR"}])
LARGEST = defined(name="largest", aggregate="max", value="/amount")
DEFINITIONS = {"REVENUE": REVENUE, "NET": NET, "PAID": PAID}

LITERALS = ("1.10", "-0", "1E+3", "-0.30", str(2**103), f"-{2**103}", "1e-400", "9e400", "1e401", '"x"', "null")


def payload(amount: str, net: str, currency: str) -> str:
    return f'{{"amount":{amount},"net":{net},"currency":"{currency}"}}'


def event_of(text: str) -> str:
    return f'{{"source":"till","payload":{text}}}'


def an_input(key: tuple[Instant, str], content: str, definitions: Definitions) -> Input:
    """An event with this payload, as a processor measures it."""
    event_id = key[1].encode().hex()
    found = contributions(definitions, measured(event_id, "order.paid", parse(event_of(content)).value))
    return Input(key[0], key[1], "order.paid", sha256(content.encode()).hexdigest(), found)


@dataclass
class MeasuredHistory(History):
    """Two versions, whose inputs have payloads, and the definitions that each has."""

    definitions: Mapping[str, Definitions] = field(default_factory=dict)

    def named(
        self, entity_id: str, day: Day, replay_ids: Collection[str], calendar: str = "UTC"
    ) -> list[AggregateVersion]:
        found = [Version(entity_id, day, replay_id) for replay_id in replay_ids if replay_id in self.sides]
        return [AggregateVersion(version, self._aggregate(version.replay_id), INGESTED) for version in found]

    def inputs(self, version: Version, after: str | None, limit: int, definitions: Definitions = ()) -> InputsPage:
        page = super().inputs(version, after, limit)
        contents = self.sides[version.replay_id]
        measured_ones = (an_input(one.key, contents[one.key] or "", definitions) for one in page.inputs)
        return InputsPage(tuple(measured_ones), page.read_to)

    def _aggregate(self, replay_id: str) -> Aggregate:
        definitions = (*BUILT_IN, *self.definitions[replay_id])
        rows = self.sides[replay_id].items()
        return aggregate_of((an_input(key, text, definitions) for key, text in rows if text), definitions)


def history_of(
    left: Contents,
    right: Contents,
    before: Definition = REVENUE,
    after: Definition = REVENUE,
    rng: Random | None = None,
) -> MeasuredHistory:
    page = (lambda: rng.randint(1, 4)) if rng else (lambda: 1_000)
    return MeasuredHistory({"from": left, "to": right}, page, definitions={"from": (before,), "to": (after,)})


def pages_of(history: MeasuredHistory, metric: str, limit: int = 100, of: str = "metric") -> Iterator[Any]:
    """The difference of a metric, page by page."""
    compare = TraceVersions(history, Jobs(), stored_metrics(history), one_by_one).difference
    asked = {"entity_id": "order-1", "day": "2026-11-21", "from": "from", "to": "to", "limit": limit, "metric": metric}
    cursor, first = None, True
    while first or cursor is not None:
        query = DiffQuery.model_validate({**asked, "cursor": cursor})
        answer = difference(query, compare(query))
        cursor, first = answer["cursor"], False
        yield answer[of]  # type: ignore[literal-required]


def reference(text: str, name: str) -> Fraction:
    """What a payload is worth by a definition, from its literals."""
    members: Any = json.loads(text, parse_int=str, parse_float=str)
    if name == "PAID":
        return Fraction(members["currency"] == "EUR")
    literal = members["amount" if name == "REVENUE" else "net"]
    return Fraction(0) if literal in ("x", None, "1e401") else Fraction(literal)


payloads = st.builds(payload, st.sampled_from(LITERALS), st.sampled_from(LITERALS), st.sampled_from(["EUR", "USD"]))
sides = st.dictionaries(input_keys, st.one_of(payloads, st.none()))
names = st.sampled_from(sorted(DEFINITIONS))


@given(sides, sides, st.tuples(names, names), st.integers(1, 12), randoms)
def test_what_events_of_all_pages_contribute_adds_up_to_the_difference_to_the_last_digit(
    left: Contents, right: Contents, named: tuple[str, str], limit: int, rng: Random
) -> None:
    before, after = named
    history = history_of(left, right, DEFINITIONS[before], DEFINITIONS[after], rng)

    pages = list(pages_of(history, "revenue", limit))

    events = [event for page in pages for event in page["contributions"]]
    added = sum(
        (Fraction(event["to_value"] or 0) - Fraction(event["from_value"] or 0) for event in events), Fraction(0)
    )
    was = sum((reference(text, before) for text in left.values() if text), Fraction(0))
    became = sum((reference(text, after) for text in right.values() if text), Fraction(0))
    assert {Fraction(page["delta"]) for page in pages} == {became - was} == {added}
    assert (Fraction(pages[0]["from_value"]), Fraction(pages[0]["to_value"])) == (was, became)
    assert ("definition" in pages[0]["differs"]) == (before != after)
    assert len({(event["event_time"], event["event_id"]) for event in events}) == len(events)
    assert all(len(page["contributions"]) <= limit for page in pages)


ONE, OTHER = (Instant("1"), "a"), (Instant("2"), "b")
TEN_EUROS, TEN_DOLLARS = payload("10", "8", "EUR"), payload("10", "8", "USD")


def contributed(history: MeasuredHistory) -> list[tuple[Any, ...]]:
    [page] = pages_of(history, "revenue")
    names = ("event_id", "from_value", "to_value", "from_group", "to_group")
    return [tuple(event[name] for name in names) for event in page["contributions"]]


def test_an_event_that_moves_to_another_group_is_named_although_nothing_is_added() -> None:
    history = history_of({ONE: TEN_EUROS}, {ONE: TEN_DOLLARS})

    assert contributed(history) == [("a", "10", "10", {"/currency": "EUR"}, {"/currency": "USD"})]


def test_events_of_both_versions_are_named_if_the_definition_is_another() -> None:
    history = history_of({ONE: TEN_EUROS}, {ONE: TEN_EUROS}, REVENUE, NET)

    [page] = pages_of(history, "revenue")

    assert contributed(history) == [("a", "10", "8", {"/currency": "EUR"}, {})]
    assert (page["differs"], page["delta"]) == (["definition"], "-2")


def test_an_event_that_was_skipped_says_why() -> None:
    [page] = pages_of(history_of({}, {ONE: payload('"x"', "1", "EUR")}), "revenue")

    assert [(one["to_value"], one["to_skipped"]) for one in page["contributions"]] == [
        (None, "/amount is not a number")
    ]


def test_the_difference_is_over_all_groups_however_many_are_listed() -> None:
    many: Contents = {(Instant(f"{n:03}"), "a"): payload("1", "1", f"{n:03}") for n in range(250)}

    [page] = pages_of(history_of({}, many), "revenue", 1_000)

    assert (page["delta"], len(page["contributions"])) == ("250", 250)


def test_the_metric_that_is_built_in_differs_by_one_for_each_event() -> None:
    [page] = pages_of(history_of({ONE: TEN_EUROS}, {OTHER: TEN_EUROS}), "daily_event_count")

    assert [(one["from_value"], one["to_value"]) for one in page["contributions"]] == [("1", None), (None, "1")]
    assert (page["delta"], page["differs"]) == ("0", ["inputs"])


def test_a_metric_that_one_version_lacks_is_not_found() -> None:
    with pytest.raises(NotFound, match="The version from has no metric largest") as raised:
        list(pages_of(history_of({}, {}, REVENUE, LARGEST), "largest"))

    assert [fault.field for fault in raised.value.faults] == ["metric"]


@given(sides, sides, st.tuples(names, names))
def test_the_groups_of_a_difference_add_up_to_it(left: Contents, right: Contents, named: tuple[str, str]) -> None:
    [page] = pages_of(history_of(left, right, DEFINITIONS[named[0]], DEFINITIONS[named[1]]), "revenue", 1_000)

    groups = page.get("groups", [])
    assert ("groups" in page) == ("REVENUE" in named)
    for name, whole in (("delta", page["delta"]), ("from_value", page["from_value"]), ("to_value", page["to_value"])):
        added = sum((Fraction(each[name] or 0) for each in groups), Fraction(0))
        assert not groups or added == Fraction(whole)
    assert len({str(each["group"]) for each in groups}) == len(groups)


def numbered(*numbers: int) -> Contents:
    """An event of one in each of these groups."""
    return {(Instant(f"{n:03}"), "a"): payload("1", "1", f"{n:03}") for n in numbers}


def test_a_group_that_one_version_may_have_folded_is_folded_in_both() -> None:
    few, many = numbered(0, 200, 249), numbered(*range(0, 250, 2))

    [page] = pages_of(history_of(few, many), "revenue", 1_000)

    by_group = {each["group"].get("/currency", "others"): each for each in page["groups"]}
    assert by_group["others"] == {"group": {}, "from_value": "2", "to_value": "25", "delta": "23"}
    assert by_group["000"] == {"group": {"/currency": "000"}, "from_value": "1", "to_value": "1", "delta": "0"}
    assert by_group["002"] == {"group": {"/currency": "002"}, "from_value": None, "to_value": "1", "delta": "1"}
    assert len(by_group) == 101


def test_a_name_that_two_definitions_of_a_version_share_is_refused() -> None:
    history = history_of({}, {})
    history.definitions = {"from": (REVENUE, NET), "to": (REVENUE,)}

    with pytest.raises(InvalidRequest, match="The version from has two metrics revenue"):
        list(pages_of(history, "revenue"))
