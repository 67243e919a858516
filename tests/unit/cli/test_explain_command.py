"""`retrace explain`: a number, the events that make it, why it changed, and the command that mends it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.scripted_api import Asked, Script, exit_code, problem, said, serving
from tests.unit.cli.test_aggregates_command import DAY, NEW, OLD, an_input, day, difference, version
from tests.unit.cli.test_metric_difference import contribution
from tests.unit.cli.test_tables import on_80_columns

Json = dict[str, Any]

SUM, EARLIER_SUM = "ab" * 32, "ef" * 32
DEFINITION: Json = {
    "name": "revenue",
    "aggregate": "sum",
    "value": "/amount",
    "group_by": ["/currency"],
    "time_zone": "UTC",
}
METRIC: Json = {
    "name": "revenue",
    "state": "ACTIVE",
    "built_in": False,
    "definition_sha256": SUM,
    "definition": DEFINITION,
    "versions": [
        {"definition_sha256": SUM, "definition": DEFINITION},
        {"definition_sha256": EARLIER_SUM, "definition": DEFINITION | {"value": "/net"}},
    ],
}
EXPLAIN = ("explain", "revenue", *DAY)


def valued(value: str | None, **members: Any) -> Json:
    said: Json = {"name": "revenue", "definition_sha256": SUM, "skipped": 1}
    return {**said, "group": {"/currency": "EUR"}, "value": value, "inputs": 2, **members}


def computed(replay_id: str, value: str, **members: Any) -> Json:
    return version(replay_id, 3, metrics=[valued(value)], **members)


def changed(*contributions: Json, **members: Any) -> Json:
    metric: Json = {
        "name": "revenue",
        "from_definition_sha256": SUM,
        "to_definition_sha256": SUM,
        "differs": ["inputs"],
        "from_value": "10",
        "to_value": "12.5",
        "delta": "2.5",
        "groups": [{"group": {"/currency": "EUR"}, "from_value": "10", "to_value": "12.5", "delta": "2.5"}],
        "contributions": list(contributions),
        **members,
    }
    return difference([], [], [], metric=metric)


BIGGEST: Json = {
    "items": [an_input(2, value="7", group={"/currency": "EUR"}), an_input(1, value="-3", group={"/currency": "EUR"})],
    "exact": True,
    "cursor": None,
}
SEVEN = [contribution(number % 4, None, value) for number, value in enumerate(("1", "-9", "3", "0.5", "5", "1", "1"))]


def api(found: Json, **answers: Any) -> Script:
    given: Json = {
        "GET /metrics/revenue": METRIC,
        "GET /aggregates": found,
        "GET /aggregates/inputs": BIGGEST,
        "GET /aggregates/diff": changed(*SEVEN),
        **answers,
    }

    def script(asked: Asked) -> tuple[int, Any]:
        return (200, given[asked.call]) if asked.call in given else (404, problem("There is nothing here."))

    return script


def explained(found: Json, *options: str, **answers: Any) -> Any:
    with serving(api(found, **answers)) as scripted:
        return scripted.run(*EXPLAIN, "--table", *options)


COMPLETE = day(computed(NEW, "12.5"), computed(OLD, "10"))


def test_fits_one_screen_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(api(COMPLETE)) as scripted:
        lines = on_80_columns(monkeypatch, scripted, *EXPLAIN)

    sentences = [line for line in lines if line.startswith("revenue went from")]
    assert [line for line in lines if len(line.rstrip()) > 80] == sentences
    assert len(lines) + len(sentences) <= 40


def test_says_value_definition_versions_contributions_and_what_changed() -> None:
    lines = explained(COMPLETE).stdout.splitlines()

    assert lines[0] == "revenue of depot-lyon on 2025-11-28: EUR 12.5"
    told = "\n".join(lines)
    assert "sum of /amount by /currency" in told
    assert "abababababab, the newest" in told
    assert "2 contributed, 1 skipped, of 3" in told
    start = next(number for number, line in enumerate(lines) if line.startswith("biggest contributions"))
    assert [line.split()[-1] for line in lines[start + 2 : start + 4]] == ["7", "-3"]
    assert lines[-1] == "It is complete: it has every event of the day."


def test_the_events_of_a_difference_are_the_biggest_first_and_add_up() -> None:
    lines = explained(COMPLETE).stdout.splitlines()

    start = next(number for number, line in enumerate(lines) if " change " in line)
    shown = [line.split()[-2] for line in lines[start + 2 : start + 7]]
    assert shown[:3] == ["-9", "+5", "+3"]
    assert lines[start + 7] == "and 2 more events: +1.5 together"
    assert sum(map(float, shown)) + 1.5 == 2.5
    assert "revenue went from 10 to 12.5: +2.5 (EUR +2.5) by 7 events." in lines[-2]


def test_a_version_that_lacks_later_events_says_how_many_and_what_mends_it() -> None:
    stale = day(computed(NEW, "12.5", arrived_since=3), late=3)

    lines = explained(stale).stdout.splitlines()

    assert lines[-2:] == [
        "It is stale. 3 events of the day came since it was computed.",
        "Compute it again: retrace replay create depot-lyon --day 2025-11-28",
    ]


def test_the_newest_complete_version_is_explained_before_a_newer_partial_one() -> None:
    partial = computed(NEW, "1", complete=False, partial_because=["Its replay is SENT."])

    both = explained(day(partial, computed(OLD, "10"))).stdout.splitlines()
    only = explained(day(partial)).stdout.splitlines()

    assert both[0].endswith("EUR 10")
    assert "partial" in "\n".join(both)
    assert (only[0][-5:], only[-2]) == ("EUR 1", "It is partial. Its replay is SENT.")


def test_a_value_of_an_earlier_definition_says_so_and_what_that_was() -> None:
    earlier = version(NEW, 3, metrics=[valued("10", definition_sha256=EARLIER_SUM)])

    lines = explained(day(earlier)).stdout.splitlines()

    assert "sum of /net by /currency" in "\n".join(lines)
    assert lines[-2] == "It is stale. It was computed by an earlier definition."


def test_a_day_of_another_time_zone_is_asked_for_and_computed_again_by_its_bounds() -> None:
    local = METRIC | {"definition": DEFINITION | {"time_zone": "Europe/Paris"}, "state": "RETIRED"}
    stale = day(computed(NEW, "12.5", arrived_since=1))

    with serving(api(stale, **{"GET /metrics/revenue": local})) as scripted:
        lines = scripted.run(*EXPLAIN, "--table").stdout.splitlines()
        [asked] = scripted.calls("GET /aggregates")

    assert asked.query["calendar"] == "Europe/Paris"
    assert lines[-1].endswith("--day 2025-11-28 --calendar Europe/Paris --metric revenue")
    assert "Europe/Paris, 2025-11-28 00:00 to 2025-11-29 00:00 UTC" in "\n".join(lines)


def test_a_value_that_is_unknown_says_why_and_texts_have_no_biggest() -> None:
    distinct = METRIC | {"definition": DEFINITION | {"aggregate": "distinct"}, "versions": []}
    unknown = version(NEW, 3, metrics=[valued(None, unknown_because="It needs all 3 inputs.")])
    with serving(api(day(unknown), **{"GET /metrics/revenue": distinct})) as scripted:
        lines = scripted.run(*EXPLAIN, "--table").stdout.splitlines()
        assert scripted.calls("GET /aggregates/inputs") == []

    assert lines[-1] == "It is unknown. It needs all 3 inputs."


def test_json_has_all_of_it_in_one_line() -> None:
    with serving(api(COMPLETE)) as scripted:
        [line] = scripted.run(*EXPLAIN, "--json").stdout.splitlines()

    found = json.loads(line)
    assert (found["state"], found["version"]["replay_id"], len(found["versions"])) == ("complete", NEW, 2)
    assert (found["change"]["metric"]["delta"], found["change"]["metric"]["events"]) == ("2.5", 7)
    assert found["command"] == "retrace replay create depot-lyon --day 2025-11-28"


def test_an_unknown_metric_names_near_ones_and_exits_5() -> None:
    def script(asked: Asked) -> tuple[int, Any]:
        if asked.call == "GET /metrics":
            return 200, {"items": [METRIC, METRIC | {"name": "refunds"}], "cursor": None}
        return 404, problem("There is no metric.")

    with serving(script) as scripted:
        shown = scripted.run("explain", "revenu", *DAY)

    assert exit_code(shown) == 5
    assert "Unknown metric: revenu is not defined.\nDid you mean revenue? " in said(shown)


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        ([], "There is no version of depot-lyon 2025-11-28 in the calendar UTC yet."),
        ([version(OLD, 3)], "No version of depot-lyon 2025-11-28 has revenue"),
    ],
)
def test_a_day_without_the_number_says_why_and_the_command_that_computes_it(versions: list[Json], told: str) -> None:
    events = {"GET /events": {"items": [{"entity_id": "depot-lyon"}], "cursor": None}}
    with serving(api(day(*versions), **events)) as scripted:
        shown = scripted.run(*EXPLAIN)

    assert exit_code(shown) == 5
    assert told in said(shown)
    assert "Compute one: retrace replay create depot-lyon --day 2025-11-28" in said(shown)


def test_an_unknown_entity_is_told_before_a_day_without_versions() -> None:
    nothing: Json = {"items": [], "cursor": None}
    with serving(api(day(), **{"GET /events": nothing, "GET /sources": nothing})) as scripted:
        shown = scripted.run(*EXPLAIN)

    assert "Unknown entity: no event of entity depot-lyon was ever accepted." in said(shown)
