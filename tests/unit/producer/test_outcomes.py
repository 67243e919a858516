"""No answer, whatever it says, decides about an event that it does not count."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from retrace.producer.encoding import Line
from retrace.producer.outcomes import Decided, Divide, Part, outcome
from retrace.producer.spool import Row

NAMES = ("accepted", "duplicate", "conflict", "rejected")

small = st.integers(-1, 4)
statuses = st.sampled_from([200, 201, 202, 204, 207, 301, 400, 401, 403, 404, 409, 415, 429, 500, 502, 503, 504])
values = st.none() | st.booleans() | small | st.sampled_from(["ACCEPTED", "REJECTED", "CONFLICT", "", "2"])
results = st.lists(
    st.fixed_dictionaries({}, optional={"position": values, "status": values, "errors": values}) | values, max_size=4
)
answers = st.fixed_dictionaries(
    {}, optional={"counts": st.dictionaries(st.sampled_from(NAMES), values) | values, "results": results | values}
) | st.fixed_dictionaries({"counts": st.fixed_dictionaries(dict.fromkeys(NAMES, small)), "results": results})


def part_of(events: int) -> Part:
    return Part([Row(number, 0.0, Line(b"%d" % number, cloudevent=False)) for number in range(events)])


@given(st.integers(1, 4), statuses, answers)
def test_an_answer_decides_only_if_it_counts_each_event_and_names_each_refused_one(
    events: int, status: int, answer: Any
) -> None:
    found = outcome(part_of(events), status, json.dumps(answer).encode(), 0.0)

    if isinstance(found, Decided):
        assert sum(answer["counts"][name] for name in NAMES) == events
        assert len(found.rejections) == answer["counts"]["conflict"] + answer["counts"]["rejected"]
        named = {
            b"%d" % result["position"]
            for result in answer["results"]
            if result["status"] not in ("ACCEPTED", "DUPLICATE")
        }
        assert {rejection.event for rejection in found.rejections} == named
        assert len({rejection.event for rejection in found.rejections}) == len(found.rejections)


@given(st.integers(1, 4), statuses, st.binary(max_size=20))
def test_what_is_not_json_decides_nothing(events: int, status: int, body: bytes) -> None:
    assert not isinstance(outcome(part_of(events), status, body, 0.0), Decided)


@given(st.integers(1, 3_000), st.booleans())
def test_a_divided_part_has_each_event_in_one_smaller_part_and_in_order(events: int, halved: bool) -> None:  # noqa: FBT001
    part = part_of(events)
    whole = {"counts": dict.fromkeys(NAMES, 0) | {"rejected": events}}
    found = outcome(part, 413 if halved else 200, json.dumps(whole).encode(), 0.0)

    if not isinstance(found, Divide):
        assert (events, halved) == (1, True)
        return
    assert [row for smaller in found.parts for row in smaller.rows] == part.rows
    assert all(smaller.rows and (smaller.all_results or len(smaller.rows) < events) for smaller in found.parts)
