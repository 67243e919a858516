"""`retrace aggregates`: how far a number can be trusted, and which events changed it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retrace.commands.diff import summary
from retrace.problem import Exit
from tests.unit.cli.replay_answers import job
from tests.unit.cli.scripted_api import Script, exit_code, routes, said, serving

Json = dict[str, Any]

OLD, NEW = "0199b0f4-0000-7000-8000-00000000000a", "0199b0f4-0000-7000-8000-00000000000b"
DAY = ("depot-lyon", "2025-11-28")
IDS = [f"{number:x}" * 64 for number in range(1, 5)]


def version(replay_id: str, value: int, **members: Any) -> Json:
    return {
        "replay_id": replay_id,
        "period": "P1D",
        "calendar": "UTC",
        "event_count": value,
        "inputs_hash": "ab" * 32,
        "sample_event_ids": [],
        "counts_by_type": {},
        "other_types_count": 0,
        "metrics": [],
        "window_start": "2025-11-28T00:00:00.000000000Z",
        "window_end": "2025-11-29T00:00:00.000000000Z",
        "computed_at": "2025-11-28T20:00:00.000000000Z",
        "complete": True,
        "arrived_since": 0,
        **members,
    }


def day(*versions: Json, late: int = 0, **members: Any) -> Json:
    counted = {"late_arrivals": late, "exact": True, "cursor": None, **members}
    return {"entity_id": DAY[0], "day": DAY[1], "versions": list(versions), **counted}


def an_input(number: int, **members: Any) -> Json:
    return {
        "event_id": IDS[number],
        "event_time": f"2025-11-28T1{number}:00:00.000000000Z",
        "event_type": "parcel.sorted",
        "content_sha256": "cd" * 32,
        **members,
    }


def difference(from_: list[Json], to: list[Json], changed: list[Json], **members: Any) -> Json:
    lists = {"only_in_from": from_, "only_in_to": to, "changed": changed}
    return {
        "entity_id": DAY[0],
        "day": DAY[1],
        "from": version(OLD, 27),
        "to": version(NEW, 27 + len(to) - len(from_)),
        **lists,
        "counts": {name: len(items) for name, items in lists.items()} | {"shared": 27 - len(from_)},
        "cursor": None,
        **members,
    }


def known(number: int, ingested: str = "2025-11-29T07:00:00.000000000Z") -> Json:
    return {
        **an_input(number),
        "source": "depot/scanners",
        "entity_id": DAY[0],
        "ingest_time": ingested,
        "ingest_lag_ms": 3_600_000,
        "arrivals": [],
        "aggregates": [],
        "more_arrivals": False,
        "more_aggregates": False,
    }


def test_versions_with_why_they_are_partial_and_who_asked() -> None:
    why = ["It covers one type only.", "Its window leaves out part of the day."]
    partial = version(OLD, 27, complete=False, partial_because=why)
    script = routes({"GET /aggregates": (200, day(version(NEW, 36), partial)), f"GET /replay/{NEW}": (200, job())})
    with serving(script) as api:
        shown, piped = api.run("aggregates", "get", *DAY, "--table"), api.run("aggregates", "get", *DAY)

    for told in (
        "complete",
        "partial: It covers one type only. Its window leaves out part of the day.",
        "ana",
        NEW,
        OLD,
    ):
        assert told in shown.stdout
    first, second = map(json.loads, piped.stdout.splitlines())
    assert first["requested_by"] == job()["requested_by"]
    assert second["requested_by"] is None
    assert "retrace aggregates diff depot-lyon 2025-11-28" in shown.stderr


@pytest.mark.parametrize(
    ("older", "told"),
    [
        ([version(OLD, 1_027)], f"The newest complete one has 1,027 events: replay {OLD}"),
        ([], "A complete one: retrace replay create depot-lyon --day 2025-11-28"),
        ([version(OLD, 27, what_if=True)], "A complete one: retrace replay create depot-lyon --day 2025-11-28"),
    ],
)
def test_a_newest_version_that_is_partial_is_told_with_the_newest_complete_one(older: list[Json], told: str) -> None:
    partial = {"complete": False, "partial_because": ["It covers one type only."]}
    newest = version(NEW, 3, **partial)
    with serving(routes({"GET /aggregates": (200, day(newest, version(NEW, 2, **partial), *older))})) as api:
        result = api.run("aggregates", "get", *DAY)

    assert f"The newest version is partial. {told}" in result.stderr


@pytest.mark.parametrize("above", [[], [version(NEW, 3, complete=False, partial_because=["x"], what_if=True)]])
def test_a_newest_version_that_is_complete_is_told_without_a_word(above: list[Json]) -> None:
    older = version(OLD, 27, complete=False, partial_because=["It covers one type only."])
    with serving(routes({"GET /aggregates": (200, day(*above, version(NEW, 36), older))})) as api:
        result = api.run("aggregates", "get", *DAY)

    assert "The newest version is partial" not in result.stderr


def test_late_arrivals_are_said_with_the_command_that_takes_them_in() -> None:
    with serving(routes({"GET /aggregates": (200, day(version(OLD, 27, arrived_since=9), late=9))})) as api:
        result = api.run("aggregates", "get", *DAY)

    assert "9 of the day's events came after the newest version" in result.stderr
    assert "retrace replay create depot-lyon --day 2025-11-28" in result.stderr


def test_what_was_not_counted_to_its_end_is_told_as_at_least() -> None:
    found = day(version(OLD, 27, arrived_since=9), late=9, exact=False)
    with serving(routes({"GET /aggregates": (200, found)})) as api:
        shown, piped = api.run("aggregates", "get", *DAY, "--table"), api.run("aggregates", "get", *DAY)

    assert "at least 9" in shown.stdout
    assert "at least 9 of the day's events came after the newest version" in shown.stderr
    assert json.loads(piped.stdout)["exact"] is False


def test_as_many_versions_are_listed_as_asked_for_and_all_of_them_page_by_page() -> None:
    pages = [(200, day(version(NEW, 36), cursor="next")), (200, day(version(OLD, 27), late_arrivals=None))]
    with serving(routes({"GET /aggregates": pages})) as api:
        every = api.run("aggregates", "get", *DAY, "--all")
    with serving(routes({"GET /aggregates": pages})) as cut:
        one = cut.run("aggregates", "get", *DAY, "--limit", "1")

    assert [json.loads(line)["replay_id"] for line in every.stdout.splitlines()] == [NEW, OLD]
    assert [asked.query.get("cursor") for asked in api.calls("GET /aggregates")] == [None, "next"]
    assert (len(one.stdout.splitlines()), "Cut off at 1" in one.stderr) == (1, True)
    assert [asked.query["limit"] for asked in cut.calls("GET /aggregates")] == ["1"]


def test_a_day_without_versions_explains_itself() -> None:
    with serving(routes({"GET /aggregates": (200, day())})) as api:
        result = api.run("aggregates", "get", "order 1", DAY[1])

    assert exit_code(result) == 0
    assert "no version yet" in result.stderr
    assert "retrace replay create 'order 1' --day 2025-11-28" in result.stderr


def test_the_inputs_of_a_version_page_by_page() -> None:
    pages = [(200, {"items": [an_input(0)], "cursor": "next"}), (200, {"items": [an_input(1)], "cursor": None})]
    with serving(routes({"GET /aggregates/inputs": pages})) as api:
        result = api.run("aggregates", "inputs", *DAY, OLD)

    assert [json.loads(line)["event_id"] for line in result.stdout.splitlines()] == IDS[:2]
    assert {asked.query["replay_id"] for asked in api.asked} == {OLD}


def compares(found: Json, **more: Any) -> Script:
    newest = day(version(NEW, 36), version(OLD, 27), version("older", 1))
    events: Any = {f"GET /events/{IDS[number]}": (200, known(number)) for number in (0, 1, 2)}
    raw: Any = {f"GET /events/{IDS[0]}/raw": (200, b'{"payload":1.10}')}
    return routes({"GET /aggregates": (200, newest), "GET /aggregates/diff": (200, found), **events, **raw, **more})


def test_the_two_newest_versions_are_compared_and_each_event_is_described() -> None:
    with serving(compares(difference([], [an_input(0), an_input(1)], []))) as api:
        result = api.run("aggregates", "diff", *DAY)

    (asked,) = api.calls("GET /aggregates/diff")
    assert (asked.query["from"], asked.query["to"]) == (OLD, NEW)
    assert exit_code(result) == 1
    found = json.loads(result.stdout)
    assert [item["source"] for item in found["only_in_to"]] == ["depot/scanners"] * 2
    assert "arrivals" not in found["only_in_to"][0]
    assert found["summary"] == (
        "2 events more: 2 parcel.sorted from depot/scanners; the count went from 27 to 29;"
        " all of what is new came after the first was computed."
    )


def test_the_table_tells_sides_apart_and_ends_with_the_sentence() -> None:
    changed = {"event_id": IDS[2], "event_time": "2025-11-28T12:00:00.000000000Z"}
    with serving(compares(difference([an_input(1)], [an_input(0)], [changed]))) as api:
        result = api.run("aggregates", "diff", *DAY, "--table", "--raw")

    lines = result.stdout.splitlines()
    assert [line[0] for line in lines if line[:1] in "+-~" and "depot/scanners" in line] == ["-", "+", "~"]
    assert f'+ {IDS[0]} {{"payload":1.10}}' in lines
    assert f"- {IDS[1]} (unavailable)" in lines
    assert lines[-1].startswith("1 event more, 1 fewer, 1 event with other content: ")


def test_a_replay_that_runs_is_told_beside_its_version() -> None:
    how_far = "Its replay is SENT, with 1 of 3 sent messages processed."
    with serving(compares(difference([], [], []) | {"incomplete": {"to": how_far}})) as api:
        result = api.run("aggregates", "diff", *DAY, "--table")

    lines = result.stdout.splitlines()
    assert [line[:4] for line in lines[:2]] == ["from", "to  "]
    assert lines[2] == f"{how_far} The difference may change."


def test_an_event_whose_identity_has_expired_is_shown_as_far_as_it_is_known() -> None:
    with serving(compares(difference([an_input(3)], [], []))) as api:
        result = api.run("aggregates", "diff", *DAY, OLD, NEW, "--table")

    assert api.calls("GET /aggregates") == []
    assert "1 event fewer: 1 parcel.sorted; the count went from 27 to 26." in result.stdout


def test_one_named_version_is_compared_with_the_newest() -> None:
    with serving(compares(difference([], [], []))) as api:
        api.run("aggregates", "diff", *DAY, "older")

    (asked,) = api.calls("GET /aggregates/diff")
    assert (asked.query["from"], asked.query["to"]) == ("older", NEW)


def test_versions_that_are_the_same() -> None:
    with serving(compares(difference([], [], []))) as api:
        result = api.run("aggregates", "diff", *DAY, "--table")

    assert exit_code(result) == 0
    assert "The same 27 events in both; the count is 27." in result.stdout


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (day(), "no version yet"),
        (day(version(OLD, 27)), "one version, of 27 events"),
        (day(version(OLD, 27)), "No event of the day came since"),
        (day(version(OLD, 27), late=9), "9 of the day's events came since"),
    ],
)
def test_fewer_than_two_versions_explain_themselves(found: Json, told: str) -> None:
    with serving(routes({"GET /aggregates": (200, found)})) as api:
        result = api.run("aggregates", "diff", *DAY)

    assert exit_code(result) == (Exit.DIFFERENT if found["versions"] else Exit.NOT_FOUND)
    assert told in said(result)
    assert "retrace replay create depot-lyon --day 2025-11-28" in said(result)


def test_a_list_that_is_cut_off_is_said() -> None:
    with serving(compares(difference([], [an_input(0), an_input(1)], []))) as api:
        cut, every = (
            api.run("aggregates", "diff", *DAY, "--table", "-n", "1"),
            api.run("aggregates", "diff", *DAY, "--table", "-n", "1", "--all"),
        )

    assert ("Not all are listed" in cut.stderr, "Not all are listed" in every.stderr) == (True, False)
    assert IDS[1][:16] not in cut.stdout
    assert IDS[1][:16] in every.stdout
    assert cut.stdout.splitlines()[-1].startswith("2 events more")


def test_versions_are_compared_page_by_page_to_their_ends() -> None:
    first = difference([], [an_input(0)], [], cursor="next")
    none = difference([], [], [], cursor="last")
    pages = [(200, first), (200, none), (200, difference([an_input(2)], [an_input(1)], []))]
    with serving(compares(first, **{"GET /aggregates/diff": pages})) as api:
        result = api.run("aggregates", "diff", *DAY, OLD, NEW)

    found = json.loads(result.stdout)
    assert [asked.query.get("cursor") for asked in api.calls("GET /aggregates/diff")] == [None, "next", "last"]
    assert found["counts"] == {"only_in_from": 1, "only_in_to": 2, "changed": 0, "shared": 27 + 27 + 26}
    assert [item["event_id"] for item in found["only_in_to"]] == IDS[:2]
    assert "cursor" not in found


def test_many_kinds_are_summed_up_by_the_largest() -> None:
    items = [{**known(0), "event_type": kind} for kind in "aabbbcdde"]
    told = summary(difference([], items, []))

    expected = "3 b from depot/scanners, 2 a from depot/scanners, 2 d from depot/scanners, 2 kinds more"
    assert told.startswith(f"9 events more: {expected};")


def test_events_that_were_there_before_are_not_called_late() -> None:
    early = known(0, ingested="2025-11-28T10:00:00.000000000Z")

    assert summary(difference([], [early], [])).endswith("went from 27 to 28.")
    assert summary(difference([], [early, known(1)], [])).endswith(
        "1 of what is new came after the first was computed."
    )
