"""States of metrics: equal to fractions over the raw events, to the last digit, however events are batched."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.dynamodb import from_item, to_item
from chalicelib.core.lossless_json import parse
from chalicelib.metrics.contribution import Contributed, Contribution, Measured, contributions
from chalicelib.metrics.definition import Definition, definition_of
from chalicelib.metrics.exact_number import Exact
from chalicelib.metrics.metric_state import MAX_GROUPS, NAMES_BYTES, MetricState, merged, read_state, state_of
from tests.unit.json_trees import randoms
from tests.unit.metrics import metric_reference

AGGREGATES = ["count", "sum", "min", "max", "avg", "distinct", "percentile"]
FOLDED = ["count", "sum", "min", "max", "avg"]

EDGES = ["0", "-0", "0.0", "1.10", "1.1", "1E+3", "1000", "1e-400", "1e400", "1e401", "-1E-401", "1e999999999"]
LONG = ["9" * 128, "9" * 129, f"0.{'3' * 127}", f"0.{'3' * 128}", "1e0000000400", "-" + "7" * 128 + "e400"]
numbers = (
    st.sampled_from([*EDGES, *LONG])
    | st.integers(-(2**103), 2**103).map(str)
    | st.decimals(-1000, 1000, places=2).map(str)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
values = numbers | st.sampled_from(["null", '"12"', "true", "[1]", "{}"])
groups = st.sampled_from(['"EUR"', '"USD"', '"\\u0395UR"', "null", "{}"])
payloads = st.builds(
    lambda members: "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}",
    st.fixed_dictionaries({}, optional={"value": values, "group": groups}),
)
events = st.lists(payloads, max_size=20).map(lambda texts: [(f"{n:064x}", text) for n, text in enumerate(texts)])


def definition(aggregate: str, **more: Any) -> Definition:
    members = {"name": "m", "aggregate": aggregate, "group_by": ["/group"]}
    members |= {} if aggregate == "count" else {"value": "/value"}
    members |= {"percentile": "99.9"} if aggregate == "percentile" else {}
    return definition_of(parse(json.dumps(members | more)))


def contributed(defined: Definition, given_events: list[tuple[str, str]]) -> list[tuple[str, Contributed | None]]:
    """What each event contributes, read from its text."""
    measured = [Measured(event_id, "shop", "paid", parse(text).value) for event_id, text in given_events]
    return [(each.event_id, contributions([defined], each).get(defined.sha256)) for each in measured]


def stored(state: MetricState) -> MetricState:
    """The state as a row of DynamoDB gives it back."""
    row = from_item(to_item({"metrics": state.members}))
    return read_state(state.definition, row["metrics"])


def in_batches(defined: Definition, given_events: list[tuple[str, str]], rng: Random) -> MetricState:
    """The state of events in any order, cut anywhere, merged in any grouping, and stored after each merge."""
    shuffled = rng.sample(given_events, len(given_events))
    cuts = sorted(rng.randint(0, len(shuffled)) for _ in range(rng.randint(0, 5)))
    batches = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    pending = [state_of(defined, contributed(defined, batch)) for batch in batches]
    while len(pending) > 1:
        rng.shuffle(pending)
        pending.append(stored(merged(pending.pop(), pending.pop())))
    return pending[0]


def said(state: MetricState) -> dict[str | None, Any]:
    """What the members of a state say, as the reference says it."""
    aggregate = state.definition.aggregate
    rest, *listed = state.members
    assert rest["group"] == {}
    found = {each["group"]["/group"]: (_value(aggregate, each), each["inputs"]) for each in listed}
    if rest["inputs"]:
        found[metric_reference.REST] = _value(aggregate, rest), rest["inputs"]
    return {**found, None: rest["skipped"]}


def _value(aggregate: str, each: dict[str, Any]) -> Any:
    if aggregate == "avg":
        return Fraction(each["sum"]) / each["inputs"]
    value = int(each["value"]) if aggregate == "count" else Fraction(each["value"])
    return (value, each["event_id"]) if aggregate in ("min", "max") else value


@pytest.mark.parametrize("aggregate", FOLDED)
@given(given_events=events, rng=randoms)
def test_any_batches_order_and_grouping_come_to_what_fractions_say(
    aggregate: str, given_events: list[tuple[str, str]], rng: Random
) -> None:
    found = in_batches(definition(aggregate), given_events, rng)

    assert said(found) == metric_reference.computed(aggregate, given_events)


@given(given_events=events, percentile=st.sampled_from(["99.9", "50", "100", "0.1", "33.3"]), rng=randoms)
def test_a_percentile_is_the_amount_that_fractions_say(
    given_events: list[tuple[str, str]], percentile: str, rng: Random
) -> None:
    defined = definition("percentile", percentile=percentile)
    found = contributed(defined, given_events)
    amounts: dict[str, list[Any]] = {}
    for _, each in rng.sample(found, len(found)):
        if isinstance(each, Contribution):
            amounts.setdefault(each.group[0], []).append(each.amount)

    expected = metric_reference.computed("percentile", given_events, Fraction(percentile))
    expected.pop(None)
    assert {group: (Fraction(value_of_all(defined, each)), len(each)) for group, each in amounts.items()} == expected


SCALARS = {"1": "1", "1.0": "1", "10e-1": "1", '"1"': "1", "-0": "0", "0": "0", "true": "true", '"x"': "x", '"X"': "X"}


@given(st.lists(st.sampled_from([*SCALARS]), min_size=1))
def test_distinct_counts_texts_and_equal_numbers_are_one(written: list[str]) -> None:
    defined = definition("distinct", group_by=[])
    found = contributed(defined, [(str(n), f'{{"value":{text}}}') for n, text in enumerate(written)])

    amounts = [each.amount for _, each in found if isinstance(each, Contribution)]
    assert value_of_all(defined, amounts) == str(len({SCALARS[text] for text in written}))


@given(st.lists(st.integers(0, 130), min_size=90, max_size=250), st.sampled_from(FOLDED), randoms)
def test_of_more_than_a_hundred_groups_the_first_are_listed_and_all_others_folded_together(
    numbers_of_groups: list[int], aggregate: str, rng: Random
) -> None:
    given_events = [
        (f"{position:064x}", f'{{"group":"currency-{number:03d}","value":{position}.5}}')
        for position, number in enumerate(numbers_of_groups)
    ]
    found = in_batches(definition(aggregate), given_events, rng)

    expected = metric_reference.computed(aggregate, given_events)
    assert expected.pop(None) == 0
    listed = sorted(group for group in expected if group is not None)[:MAX_GROUPS]
    beyond = [event for event in given_events if json.loads(event[1])["group"] not in listed]
    rest, *others = found.members
    assert {each["group"]["/group"]: (_value(aggregate, each), each["inputs"]) for each in others} == {
        group: expected[group] for group in listed
    }
    assert rest["inputs"] == len(beyond)
    if beyond:
        as_one = [(event_id, re.sub("currency-[0-9]+", "one", text)) for event_id, text in beyond]
        expected = metric_reference.computed(aggregate, as_one)
        assert (_value(aggregate, rest), rest["inputs"]) == expected["one"]


def test_ten_thousand_currencies_are_a_hundred_groups_and_the_exact_rest() -> None:
    found = state_of(
        definition("sum"), [(f"{n:064x}", Contribution((f"C{n:04d}",), Exact(1, 2))) for n in range(10_000)]
    )

    rest, *listed = found.members
    assert (len(listed), rest["value"], rest["inputs"]) == (100, "99", 9_900)


def test_an_event_with_more_digits_than_groups_have_counts_with_all_others() -> None:
    given_events = [
        (str(n), f'{{"group":"EUR","value":{text}}}') for n, text in enumerate(["1e127", "1e128", "1e-129"])
    ]

    for aggregate, expected in (("sum", [2, 1]), ("avg", [2, 1]), ("min", [0, 3]), ("count", [0, 3])):
        defined = definition(aggregate)
        assert [each["inputs"] for each in state_of(defined, contributed(defined, given_events)).members] == expected


@given(st.sets(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), min_size=20, max_size=90), randoms)
def test_groups_are_listed_as_far_as_their_names_fit_into_a_row(names: set[str], rng: Random) -> None:
    longer = [name * (256 // len(name.encode())) for name in names]
    given_events = [(f"{n:064x}", json.dumps({"group": each, "value": 1})) for n, each in enumerate(longer)]
    rest, *listed = in_batches(definition("sum"), given_events, rng).members

    found = [each["group"]["/group"] for each in listed]
    assert found == sorted(set(longer))[: len(found)]
    assert sum(len(name.encode()) for name in found) <= NAMES_BYTES
    assert sum(each["inputs"] for each in listed) + rest["inputs"] == len(names)


@given(events)
def test_the_state_of_nothing_changes_nothing(given_events: list[tuple[str, str]]) -> None:
    defined = definition("sum")
    found = state_of(defined, contributed(defined, given_events))

    assert merged(found, MetricState(defined)) == merged(MetricState(defined), found) == found


@pytest.mark.parametrize(
    ("aggregate", "value"), [("count", "0"), *((each, None) for each in AGGREGATES if each != "count")]
)
def test_no_inputs_have_no_value_and_count_as_none(aggregate: str, value: str | None) -> None:
    [members] = MetricState(definition(aggregate)).members

    assert (members["value"], members["inputs"], members["skipped"]) == (value, 0, 0)


def value_of_all(defined: Definition, amounts: list[Any]) -> str:
    of_all = defined.kind.of_all
    assert of_all is not None
    return of_all(amounts, defined.percentile or Exact(0))
