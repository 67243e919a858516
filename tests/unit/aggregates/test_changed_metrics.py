"""Whatever is changed of a metric in a version or in the row of an input, `retrace check verify` finds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.core.lossless_json import Number
from tests.unit.aggregates.test_metrics import LATEST, PAID, defined, differing, event_of, row_after, rows_of

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


@given(st.lists(payloads, min_size=1, max_size=5), st.data())
def test_any_change_of_a_metric_in_a_version_or_an_input_is_found(given_ones: list[Any], data: st.DataObject) -> None:
    events = [
        event_of(number, number, "order.paid", {**each, "paid": Number(each["paid"])}, OF_EACH_KIND)
        for number, each in enumerate(given_ones)
    ]
    row, entries = row_after(OF_EACH_KIND, events), rows_of(events, OF_EACH_KIND)
    assert differing(row, OF_EACH_KIND, events, entries) == []
    places = [*places_in(row["m"]), *((entry["c"], at) for entry in entries for at in entry["c"])]
    places += [place for entry in entries for each in entry["c"].values() for place in places_in(each)]

    holder, at = data.draw(st.sampled_from(places))
    is_of_version = any(holder is place for place, _ in places_in(row["m"]))
    if data.draw(st.booleans()):
        del holder[at]
    else:
        was = holder[at]
        holder[at] = changed(was, data.draw(st.integers(0, 1_000)))
        assume(holder[at] != was)

    field = "m" if is_of_version else "c"
    assert any(field in fields for fields in differing(row, OF_EACH_KIND, events, entries))
