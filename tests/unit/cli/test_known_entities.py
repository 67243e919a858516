"""An entity that no event was ever accepted of is told with near names, and told apart from one that is only quiet."""

from __future__ import annotations

import pytest

from chalicelib.core.timestamps import Day
from retrace.known_names import nothing_of_day
from retrace.problem import Exit
from tests.unit.cli.scripted_api import Answer, Asked, exit_code, problem, said, serving
from tests.unit.cli.test_aggregates_command import day as of_day
from tests.unit.cli.test_known_sources import FOUND

DAY = "2026-11-21"
SEEN = f"{DAY}T09:30:00.000000000Z"
COMMANDS = (
    f"events {{}} --day {DAY}",
    f"gaps --entity {{}} --day {DAY}",
    f"replay preview {{}} --day {DAY}",
    f"replay create {{}} --day {DAY} --yes",
    f"export {{}} --day {DAY}",
    f"aggregates get {{}} {DAY}",
    f"aggregates inputs {{}} {DAY}",
    f"aggregates diff {{}} {DAY}",
)


def answers(asked: Asked) -> Answer:
    """Events of three entities on a day that nobody asks for."""
    match asked.call:
        case "GET /sources":
            seen = {"first_seen": SEEN, "last_seen": SEEN}
            kinds = [{"source": "depot", "event_type": "loaded"}, {"source": "depot", "event_type": "old"}]
            return 200, {"items": [kinds[0] | seen, kinds[1] | seen | {"last_seen": None}], "cursor": None}
        case "GET /aggregates":
            return 200, of_day()
        case "GET /late":
            return 200, {"items": [{"entity_id": "backfilled-7"}], "cursor": None}
        case "GET /events" if "event_type" in asked.query:
            names = ("depot-lyon", "depot-metz", "till-1")
            return 200, {"items": [{"entity_id": name} for name in names], "cursor": None}
        case "GET /events" if asked.query.keys() == {"entity_id", "limit"} and asked.query["entity_id"] == "depot-metz":
            return 200, {"items": [{"entity_id": "depot-metz"}], "cursor": None}
    found: Answer = FOUND.get(asked.call, (404, problem("There is nothing here.")))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_entity_is_not_found_and_told_with_near_names(command: str) -> None:
    with serving(answers) as api:
        result = api.run(*command.format("Depot-lyno").split())

    told = " ".join(said(result).split())
    assert exit_code(result) == Exit.NOT_FOUND
    assert "Unknown entity: no event of entity Depot-lyno was ever accepted." in told
    assert "Did you mean depot-lyon" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_an_entity_that_is_only_quiet_is_not_called_unknown(command: str) -> None:
    with serving(answers) as api:
        result = api.run(*command.format("depot-metz").split())

    assert "Unknown" not in said(result)


def test_an_entity_is_near_whose_events_all_came_late() -> None:
    with serving(answers) as api:
        result = api.run("events", "backfiled-7", "--day", DAY)

    assert "Did you mean backfilled-7" in said(result)


def test_of_each_source_and_type_a_page_of_its_newest_events_and_of_its_first_late_ones_is_read() -> None:
    with serving(answers) as api:
        api.run("events", "depot-lyno", "--day", DAY)

    asked = {query["event_type"]: query for each in api.calls("GET /events") if "event_type" in (query := each.query)}
    late = [each.query for each in api.calls("GET /late")]
    assert asked["loaded"] == {
        "source": "depot",
        "event_type": "loaded",
        "order": "newest",
        "limit": "1000",
        "start_time": "2026-11-14T00:00:00.000000000Z",
        "end_time": SEEN,
    }
    assert asked["old"] == {"source": "depot", "event_type": "old", "order": "newest", "limit": "1000", "day": DAY}
    assert sorted(query.pop("event_type") for query in late) == ["loaded", "old"]
    assert late == [{"source": "depot", "limit": "1000", "day": DAY}] * 2


def test_a_day_without_anything_is_told_with_the_nearest_days_that_have_events() -> None:
    def around(asked: Asked) -> Answer:
        times = {"newest": "2026-11-19T09:30:00.000000000Z", "oldest": "2026-11-23T00:00:00.000000000Z"}
        time = times.get(asked.query.get("order", ""), SEEN)
        return 200, {"items": [{"entity_id": "depot-metz", "event_time": time}], "cursor": None}

    with serving(around) as api:
        found = nothing_of_day(api.client(), "depot-metz", Day(DAY))
    bounds = [(asked.query.get("start_time"), asked.query.get("end_time")) for asked in api.asked[-2:]]

    assert (found.what, found.exit_code) == (f"depot-metz has no event and no aggregate on {DAY}.", Exit.NOT_FOUND)
    assert found.remedy.startswith("The nearest days with events: 2026-11-19 and 2026-11-23. ")
    assert bounds == [(None, f"{DAY}T00:00:00.000000000Z"), ("2026-11-22T00:00:00.000000000Z", None)]
