"""Whatever is changed of a metric in a version or in the row of an input, `retrace check verify` finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import aggregate_of
from chalicelib.aggregates.dynamodb_totals import total_row
from chalicelib.aggregates.inputs import Input
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.aggregates.total import ReplayedDay, Total
from chalicelib.aws import keys
from chalicelib.aws.dynamodb import from_item
from chalicelib.core.lossless_json import Number
from retrace.checking.totals import check_total
from retrace.checking.versions import check_values
from tests.unit.aggregates.test_metrics import (
    DAY,
    LATEST,
    NOW,
    PAID,
    VERSION,
    defined,
    differing,
    event_of,
    row_after,
    rows_of,
)

OF_EACH_KIND = (
    LATEST,
    PAID,
    defined('{"name": "by_type", "aggregate": "sum", "value": "/paid", "group_by": ["/kind"]}'),
    defined('{"name": "average", "aggregate": "avg", "value": "/paid"}'),
    defined('{"name": "first", "aggregate": "min", "value": "/paid"}'),
    defined('{"name": "kinds", "aggregate": "distinct", "value": "/kind"}'),
    defined('{"name": "of_a", "aggregate": "count", "where": [{"path": "/kind", "equals": "a"}]}'),
)

Place = tuple[dict[Any, Any] | list[Any], Any]
"""A value in a row: what has it, and where."""


def places_in(found: Any) -> Iterator[Place]:
    """Every value in a row."""
    if isinstance(found, dict | list):
        for at, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield found, at
            yield from places_in(value)


def changed(value: Any, by: int) -> Any:
    """Another value of the same kind, or none."""
    match value:
        case "":
            return "a"
        case bytes():
            at = by % len(value)
            return value[:at] + bytes([value[at] ^ (1 << by % 8)]) + value[at + 1 :]
        case str():
            at = by % len(value)
            return f"{value[:at]}{chr(ord(value[at]) ^ 1)}{value[at + 1 :]}"
        case int():
            return value + 1 + by
        case _:
            return None


paid = st.sampled_from(["1.10", "-0", "1E+3", str(2**103), "1e-400", "9e400", "1e401", "x", "-7"])
payloads = st.fixed_dictionaries({"paid": paid, "kind": st.sampled_from(["a", "b", ""])})


def change_one(places: list[Place], data: st.DataObject) -> dict[Any, Any] | list[Any]:
    """Remove a value from a row or make it another one; answers what had it."""
    holder, at = data.draw(st.sampled_from(places))
    if data.draw(st.booleans()):
        del holder[at]
    else:
        was = holder[at]
        holder[at] = changed(was, data.draw(st.integers(0, 1_000)))
        assume(holder[at] != was)
    return holder


def inputs_of(given_ones: list[Any]) -> list[Input]:
    return [
        event_of(number, number, "order.paid", {**each, "paid": Number(each["paid"])}, OF_EACH_KIND)
        for number, each in enumerate(given_ones)
    ]


@given(st.lists(payloads, min_size=1, max_size=5), st.data())
def test_any_change_of_a_metric_in_a_version_or_an_input_is_found(given_ones: list[Any], data: st.DataObject) -> None:
    events = inputs_of(given_ones)
    row, entries = row_after(OF_EACH_KIND, events), rows_of(events, OF_EACH_KIND)
    assert differing(row, OF_EACH_KIND, events, entries) == []
    places = [*places_in(row["m"]), *((entry["c"], at) for entry in entries for at in entry["c"])]
    places += [place for entry in entries for each in entry["c"].values() for place in places_in(each)]

    of_version = [holder for holder, _ in places_in(row["m"])]

    holder = change_one(places, data)

    field = "m" if any(holder is each for each in of_version) else "c"
    assert any(field in fields for fields in differing(row, OF_EACH_KIND, events, entries))


KINDS = next(each for each in OF_EACH_KIND if each.name == "kinds")


@given(st.lists(payloads, min_size=1, max_size=5), st.data())
def test_any_change_of_kept_values_is_found_and_named(given_ones: list[Any], data: st.DataObject) -> None:
    events = inputs_of(given_ones)
    known, entries = {event.key: event for event in events}, rows_of(events, OF_EACH_KIND)
    _, sort_key = keys.values("", KINDS.sha256, aggregate_of(events).inputs_hash)
    row: dict[str, Any] = {"SK": sort_key, "values": [[str(len({each["kind"] for each in given_ones}))]]}

    def details() -> list[str]:
        return [each.detail for each in check_values(VERSION, [row], entries, known, OF_EACH_KIND)]

    assert details() == []
    change_one([(row, "values"), *places_in(row["values"])], data)
    assert [detail.partition(" ")[0] for detail in details()] == ["kinds"]


@given(st.lists(payloads, min_size=1, max_size=5), st.lists(payloads, min_size=1, max_size=5), st.data())
def test_any_change_of_a_kept_total_is_found(one: list[Any], other: list[Any], data: st.DataObject) -> None:
    of = ReplayedDay("replay-1", DAY)
    versions = [
        AggregateVersion(replace(VERSION, entity_id=str(number)), aggregate_of(inputs_of(some), OF_EACH_KIND), NOW)
        for number, some in enumerate((one, other))
    ]
    total = Total(of, processed=len(one) + len(other), folded_to=None, computed_at=NOW)
    row = from_item(total_row(total.with_versions(versions, OF_EACH_KIND)))

    def fields() -> list[str]:
        return [name for each in check_total(of, row, versions, OF_EACH_KIND) for name in each.fields]

    assert fields() == []
    member = data.draw(st.sampled_from(sorted(row.keys() - {"PK", "SK", "computed_at", "revision", "processed"})))
    change_one([(row, member), *places_in(row[member])], data)
    assert fields() == [member]
