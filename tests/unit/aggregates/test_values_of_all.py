"""Values that need all inputs of a version: exact or unknown, and kept once the replay is settled."""

from __future__ import annotations

import json
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.ports import AggregateVersion, Values, ValuesKey
from chalicelib.aggregates.stored_metrics import StoredMetrics
from chalicelib.core.read_budget import REQUEST_US, PaidReads
from chalicelib.core.timestamps import Day, Instant
from chalicelib.metrics.definition import Definition
from chalicelib.metrics.metric_state import MAX_GROUPS
from tests.unit.aggregates.test_diff import Contents, input_keys
from tests.unit.aggregates.test_metric_difference import MeasuredHistory, history_of, pages_of, payload
from tests.unit.aggregates.values_in_memory import ValuesInMemory, stored_metrics
from tests.unit.definitions_in_memory import defined
from tests.unit.in_memory import one_by_one
from tests.unit.json_trees import randoms
from tests.unit.metrics.metric_reference import Literal, number

MEDIAN = defined(name="asked", aggregate="percentile", value="/amount", percentile=50, group_by=["/currency"])
DISTINCT = defined(name="asked", aggregate="distinct", value="/amount", group_by=["/currency"])
PERCENTILES = st.sampled_from(["0.001", "50", "99.9", "100"])

amounts = st.sampled_from(["1.10", "-0", "1E+3", "-0.30", str(2**103), "1e-400", "9e400", "1e401", '"x"', "null"])
payloads = st.builds(payload, amounts, st.just("1"), st.integers(1, 150).map(lambda group: f"{group:03}"))
contents = st.dictionaries(input_keys, st.one_of(payloads, st.none()))


def asked(
    history: MeasuredHistory,
    metrics: StoredMetrics | None = None,
    *,
    settled: bool = True,
    left_us: int = REQUEST_US,
    stored: AggregateVersion | None = None,
) -> list[dict[str, Any]]:
    """The metric of the version `to` with its values."""
    [version] = history.named("order-1", Day("2026-11-21"), ["to"])
    metrics = metrics or stored_metrics(history)
    [found] = metrics.valued([(stored or version, settled)], "asked", PaidReads(one_by_one, left_us))
    return [each for each in found.aggregate.metrics if each["name"] == "asked"]


def reference(texts: list[str], percentile: Fraction | None) -> dict[str, Any]:
    """The values by group, in one go over all payloads; groups beyond the listed ones are one."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        members = json.loads(text, parse_int=Literal, parse_float=Literal)
        amount = number(members["amount"])
        if percentile is None and members["amount"] == "x":
            amount = members["amount"]
        if amount is not None:
            found.setdefault(members["currency"], []).append(amount)
    listed = sorted(found)[:MAX_GROUPS]
    rest = [amount for group, some in found.items() if group not in listed for amount in some]
    by_group = {group: found[group] for group in listed} | ({"": rest} if rest else {})
    return {group: _value(some, percentile) for group, some in by_group.items()}


def _value(amounts: list[Any], percentile: Fraction | None) -> Fraction:
    if percentile is None:
        return Fraction(len(set(amounts)))
    ordered = sorted(amounts)
    share = percentile * len(ordered) / 100
    return Fraction(next(each for each in ordered if sum(one <= each for one in ordered) >= share))


@given(contents, st.one_of(PERCENTILES, st.none()), randoms)
def test_are_exact_by_group_in_pages_of_any_size(
    rows: dict[tuple[Instant, str], str | None], percentile: str | None, rng: Random
) -> None:
    kind = {"aggregate": "distinct"} if percentile is None else {"aggregate": "percentile", "percentile": percentile}
    definition = defined(name="asked", value="/amount", group_by=["/currency"], **kind)
    history = history_of({}, rows, definition, definition, rng)

    found = asked(history)

    values = {"".join(each["group"].values()): Fraction(each["value"]) for each in found if each["inputs"]}
    texts = [text for text in rows.values() if text is not None]
    assert values == reference(texts, None if percentile is None else Fraction(percentile))


THREE: Contents = {(Instant(str(n)), "a"): payload(amount, "1", "EUR") for n, amount in enumerate(("1", "1.0", "2"))}


def value_of(found: list[dict[str, Any]]) -> tuple[str | None, str | None]:
    [group] = [each for each in found if each["inputs"]]
    return group["value"], group.get("unknown_because")


def test_are_read_once_and_kept_once_the_replay_is_settled() -> None:
    history, kept = history_of({}, THREE, DISTINCT, DISTINCT), ValuesInMemory()
    metrics = stored_metrics(history, kept=kept)

    running = value_of(asked(history, metrics, settled=False))
    assert (running, kept.kept) == (("2", None), {})
    first = value_of(asked(history, metrics))
    history.sides["to"] = {}
    [version] = history_of({}, THREE, DISTINCT, DISTINCT).named("order-1", Day("2026-11-21"), ["to"])
    again = value_of(asked(history, metrics, stored=version))

    assert (first, again, kept.calls) == (("2", None), ("2", None), 1)


def test_that_are_kept_answer_only_for_the_inputs_that_they_were_computed_from() -> None:
    history, kept = history_of({}, THREE, DISTINCT, DISTINCT), ValuesInMemory()
    metrics = stored_metrics(history, kept=kept)
    asked(history, metrics)

    history.sides["to"] = {**THREE, (Instant("9"), "a"): payload("9", "1", "EUR")}

    assert value_of(asked(history, metrics)) == ("3", None)
    assert len(kept.kept) == 2


def test_of_inputs_that_are_not_those_of_the_version_are_unknown_and_not_kept() -> None:
    history, kept = history_of({}, THREE, MEDIAN, MEDIAN), ValuesInMemory()
    [before] = history.named("order-1", Day("2026-11-21"), ["to"])
    history.sides["to"] = {**THREE, (Instant("9"), "a"): payload("9", "1", "EUR")}

    value, why = value_of(asked(history, stored_metrics(history, kept=kept), stored=before))

    assert (value, str(why)[:40]) == (None, "Its inputs changed while they were read.")
    assert kept.kept == {}


@pytest.mark.parametrize(("left_us", "why"), [(60_000, "It needs all 3 inputs"), (0, "The request had no reads left")])
def test_beyond_the_reads_of_a_request_are_unknown_and_say_how_far_it_came(
    left_us: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.aggregates.stored_metrics.ROWS_A_READ", 1)
    history = history_of({}, THREE, DISTINCT, DISTINCT)

    value, told = value_of(asked(history, left_us=left_us))

    assert (value, str(told)[: len(why)]) == (None, why)


def test_of_rows_that_are_no_inputs_end_with_the_reads() -> None:
    nothing = {(Instant(f"{n:04}"), "b"): None for n in range(2_000)}
    history = history_of({}, {**nothing, **THREE}, DISTINCT, DISTINCT, Random(1))

    assert value_of(asked(history))[0] is None


def test_are_not_read_unless_the_metric_has_inputs() -> None:
    class Refusing(ValuesInMemory):
        def find(self, key: ValuesKey) -> Values | None:
            raise AssertionError(key)

    history = history_of({}, {}, DISTINCT, DISTINCT)

    [found] = asked(history, stored_metrics(history, kept=Refusing()))

    assert (found["value"], "unknown_because" in found) == (None, False)


def changed(definition: Definition) -> Any:
    left: Contents = {(Instant("1"), "a"): payload("1", "1", "EUR"), (Instant("2"), "b"): payload("2", "1", "EUR")}
    right: Contents = {(Instant("1"), "a"): payload("1", "1", "EUR"), (Instant("3"), "c"): payload("1.0", "1", "USD")}
    [page] = pages_of(history_of(left, right, definition, definition), "asked", of="metric_values")
    return page


def test_a_difference_has_both_values_by_group_and_the_events_without_a_delta() -> None:
    page = changed(DISTINCT)

    assert page["groups"] == [
        {"group": {"/currency": "EUR"}, "from_value": "2", "to_value": "1"},
        {"group": {"/currency": "USD"}, "from_value": None, "to_value": "1"},
    ]
    assert (page["from_value"], page["to_value"], "delta" in page) == (None, None, False)
    assert [(one["from_value"], one["to_value"]) for one in page["contributions"]] == [("2", None), (None, "1")]


@pytest.mark.parametrize(
    ("aggregate", "from_value", "to_value"),
    [("max", "2", "1"), ("min", "1", "1"), ("avg", "1.5", "1"), ("distinct", "2", "1"), ("percentile", "2", "1")],
)
def test_a_difference_of_what_is_no_sum_has_the_values_over_all(aggregate: str, from_value: str, to_value: str) -> None:
    more = {"percentile": "99"} if aggregate == "percentile" else {}
    definition = defined(name="asked", aggregate=aggregate, value="/amount", **more)

    page = changed(definition)

    assert (page["from_value"], page["to_value"], "groups" in page) == (from_value, to_value, False)
