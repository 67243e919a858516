"""`retrace replay create`: counted, shown and agreed to before anything is sent, and sent once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.replays.destinations import DeclaredDestination, Destinations
from chalicelib.replays.request_body import parse_replay_request
from retrace.problem import Exit
from tests.unit.cli.replay_answers import REPLAY_ID, REQUEST, job, preview
from tests.unit.cli.scripted_api import Answer, Asked, Script, exit_code, problem, routes, said, serving

DAY = ("replay", "create", "depot-lyon", "--day", "2025-11-28")
PREVIEWED = ("replay", "preview", *DAY[2:])
STATUS = f"GET /replay/{REPLAY_ID}"


def takes(counted: dict[str, Any], *answers: Answer, **more: Any) -> Script:
    """Answers a dry run with a preview, and then requests one after the other."""
    sent = routes({"POST /replay": list(answers) or [(202, job("PLANNING"))], STATUS: (200, job()), **more})
    return lambda asked: (200, counted) if asked.query.get("dry_run") else sent(asked)


def requests(asked: list[Asked]) -> list[Asked]:
    """The requests for a replay that are no dry runs."""
    return [one for one in asked if one.call == "POST /replay" and "dry_run" not in one.query]


def test_what_was_counted_is_confirmed_under_a_key_of_its_own() -> None:
    with serving(takes(preview(147))) as api:
        result = api.run(*DAY, "--yes")

    (sent,) = requests(api.asked)
    assert exit_code(result) == 0
    assert sent.body == REQUEST | {"confirm": 147}
    assert sent.headers["idempotency-key"].startswith("retrace-cli-")
    assert json.loads(result.stdout) == job("PLANNING")
    assert f"retrace replay get {REPLAY_ID} --wait" in result.stderr


@pytest.mark.parametrize("word", ["create", "preview"])
def test_an_unknown_destination_is_told_with_a_near_one_and_all_that_are_declared(word: str) -> None:
    unknown = Destinations({name: DeclaredDestination(name, "") for name in ("aggregates", "billing")})
    with pytest.raises(InvalidRequest) as refused:
        unknown.named("biling")
    [fault] = refused.value.faults
    answer = problem(str(refused.value), errors=[{"field": fault.field, "message": fault.message}])
    with serving(routes({"POST /replay": (400, answer)})) as api:
        result = api.run("replay", word, "depot-lyon", "--day", "2025-11-28", "--destination", "biling")

    assert exit_code(result) == Exit.REFUSED
    assert "--destination is biling, which is not declared. Did you mean billing?" in said(result)
    assert "Declared: aggregates, billing" in said(result)
    assert said(result).rstrip().endswith("Correct --destination.")


def test_the_preview_is_shown_before_anything_is_sent() -> None:
    cost = {"estimated_cost_usd": 0.0123, "estimated_reports_usd": 0.01}
    shown = preview(3, by_day={"2025-11-27": 1, "2025-11-28": 2}, estimated_seconds=90, **cost)
    with serving(takes(shown)) as api:
        result = api.run(*DAY, "--yes")

    assert (api.asked[0].query, api.asked[0].body) == ({"dry_run": "true"}, REQUEST)
    for told in (
        "3 messages",
        "by day",
        "by source",
        "by type",
        "2025-11-27",
        "2025-11-28",
        "█",
        "depot/scanners",
        "parcel.sorted",
        "1m 30s",
        "at most $0.0123, of which $0.0100 for reported outcomes.",
    ):
        assert told in result.stderr


OF_TYPE = {"source": "depot/scanners", "event_type": "parcel.sorted", "day": "2025-11-28"}
TWO_HOURS = {**REQUEST, "start_time": "2025-11-28T10:00:00.000000000Z", "end_time": "2025-11-28T12:00:00.000000000Z"}


@pytest.mark.parametrize(
    "request_", [TWO_HOURS, OF_TYPE, {**REQUEST, "include": {"sources": ["s"]}}, {**REQUEST, "only": "unprocessed"}]
)
def test_that_newest_versions_become_partial_is_told_with_the_remedy_before_anything_is_sent(
    request_: dict[str, Any],
) -> None:
    with serving(takes(preview(3, request=request_))) as api:
        refused, previewed = api.run(*DAY), api.run(*PREVIEWED, "--table")

    for told in ("newest version", "will be partial", "--whole-days", "--destination"):
        assert told in refused.stderr
        assert told in previewed.stdout
    assert requests(api.asked) == []


@pytest.mark.parametrize(
    ("request_", "messages"),
    [(REQUEST, 3), ({**TWO_HOURS, "whole_days": True}, 3), ({**OF_TYPE, "destination": "billing"}, 3), (TWO_HOURS, 0)],
)
def test_a_replay_that_computes_no_partial_version_is_previewed_without_a_word(
    request_: dict[str, Any], messages: int
) -> None:
    with serving(takes(preview(messages, request=request_))) as api:
        previewed = api.run(*PREVIEWED, "--table")

    assert "partial" not in previewed.stdout


PARIS = {"calendar": "Europe/Paris", "days": [{"day": "2025-11-28"}, {"day": "2025-11-29"}]}


@pytest.mark.parametrize(
    ("partial", "told"),
    [
        (
            PARIS,
            "In Europe/Paris, 2025-11-28 and 2025-11-29 will be partial, as the replay covers only a part.",
        ),
        (PARIS | {"days": None}, "All days of Europe/Paris that it touches will be partial"),
    ],
)
def test_days_of_another_calendar_that_become_partial_are_told_with_the_command_for_a_whole_one(
    partial: dict[str, Any], told: str
) -> None:
    with serving(takes(preview(3, partial_days=[partial]))) as api:
        result = api.run(*PREVIEWED, "--table")

    assert told in result.stdout
    assert "For a whole day: retrace replay create " in result.stdout
    assert " --calendar Europe/Paris" in result.stdout


def test_a_count_that_is_not_exact_is_a_least_one() -> None:
    with serving(takes(preview(100_000, exact=False))) as api:
        result = api.run(*DAY, "--yes")

    assert "at least 100,000 messages" in result.stderr
    assert "at least 2s" in result.stderr


def test_many_days_are_counted_by_month() -> None:
    days = {f"2025-{month:02d}-{day:02d}": 1 for month in (1, 2) for day in range(1, 29)}
    with serving(takes(preview(56, by_day=days))) as api:
        result = api.run(*PREVIEWED, "--table")

    assert "2025-02 " in result.stdout
    assert "2025-02-01" not in result.stdout


def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_key() -> None:
    with serving(takes(preview(), (503, problem("Later.")), (202, job("PLANNING")))) as api:
        result = api.run(*DAY, "--yes")

    first, second = requests(api.asked)
    assert exit_code(result) == 0
    assert (first.headers["idempotency-key"], first.body) == (second.headers["idempotency-key"], second.body)


def test_a_count_that_changed_meanwhile_is_shown_and_confirmed_again() -> None:
    with serving(takes(preview(3), (409, problem("Confirm.", preview=preview(4))), (202, job()))) as api:
        result = api.run(*DAY, "--yes")

    first, second = requests(api.asked)
    assert [first.body["confirm"], second.body["confirm"]] == [3, 4]
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert "4 messages" in result.stderr


def test_a_count_that_keeps_changing_is_given_up() -> None:
    recounted = [(409, problem("Confirm.", preview=preview(count))) for count in (4, 5, 6)]
    with serving(takes(preview(3), *recounted)) as api:
        result = api.run(*DAY, "--yes")

    assert exit_code(result) == 4
    assert "kept changing" in said(result)
    assert len(requests(api.asked)) == 3


def test_without_a_terminal_nothing_is_sent_unless_told_to() -> None:
    with serving(takes(preview())) as api:
        result = api.run(*DAY)

    assert exit_code(result) == 2
    assert "--yes" in said(result)
    assert "3 messages" in said(result)
    assert requests(api.asked) == []


def test_a_limit_is_agreed_to_where_counting_came_to_no_end() -> None:
    with serving(takes(preview(40, exact=False))) as api:
        result = api.run(*DAY, "--max-messages", "500000", "--yes")

    (sent,) = requests(api.asked)
    assert exit_code(result) == 0
    assert sent.body["confirm"] == 500_000


def test_a_count_that_confirms_nothing_is_not_sent_again() -> None:
    advice = {"field": "confirm", "message": 'needs a size that is known: narrow the window, or give "max_messages"'}
    refused = problem("Confirm.", preview=preview(40, exact=False), errors=[advice])
    with serving(takes(preview(40, exact=False), (409, refused))) as api:
        result = api.run(*DAY, "--yes")

    assert exit_code(result) == 4
    assert "narrow the window" in said(result)
    assert len(requests(api.asked)) == 1


def test_a_dry_run_answers_the_preview_and_sends_nothing() -> None:
    with serving(takes(preview())) as api:
        result = api.run(*PREVIEWED)

    assert exit_code(result) == 0
    assert json.loads(result.stdout) == preview()
    assert len(api.asked) == 1


def test_nothing_is_sent_where_there_is_nothing() -> None:
    with serving(takes(preview(0))) as api:
        result = api.run(*DAY, "--yes")

    assert exit_code(result) == 0
    assert "No event of depot-lyon, 2025-11-28." in result.stderr
    assert "The newest event: retrace events --newest --limit 1 -- depot-lyon" in result.stderr
    assert requests(api.asked) == []


def test_where_nothing_is_sent_filters_or_options_of_the_window_are_named() -> None:
    of_type = {"source": "shop", "event_types": ["paid", "sent"], "start_day": "2025-11-27", "end_day": "2025-11-28"}
    with serving(takes(preview(0, request=of_type))) as empty, serving(takes(preview(0, scanned=7))) as filtering:
        none, filtered = (said(api.run(*DAY, "--yes")) for api in (empty, filtering))

    assert "No event of shop paid, sent, 2025-11-27 to 2025-11-28. Times are those of events" in none
    assert "Choose others with --day, or --since and --until." in none
    assert "retrace freshness --source shop --type paid --look-back-days 366" in none
    assert "The filters (--include-…, --exclude-…) leave none of the 7 events." in filtered


def test_a_refusal_is_told_with_its_fields() -> None:
    refused = problem("The request is not valid.", errors=[{"field": "rate", "message": "must be less"}])
    with serving(lambda _: (400, refused)) as api:
        result = api.run(*DAY, "--rate", "99999")

    assert exit_code(result) == 4
    assert "rate must be less" in said(result)


TYPE = ("--source", "shop", "--type", "order.paid")
SHA = "ab" * 32


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (("order-1", "--day", "2025-11-28"), REQUEST | {"entity_id": "order-1"}),
        (
            ("order-1", "--since", "2025-11-28T10:00:00Z", "--until", "2025-11-28T12:00:00+01:00"),
            {
                "entity_id": "order-1",
                "start_time": "2025-11-28T10:00:00.000000000Z",
                "end_time": "2025-11-28T11:00:00.000000000Z",
            },
        ),
        (
            ("order-1", "--from-day", "2025-11-27", "--to-day", "2025-11-28"),
            REQUEST | {"entity_id": "order-1", "start_time": "2025-11-27T00:00:00.000000000Z"},
        ),
        (
            ("order-1", "--day", "2025-10-26", "--calendar", "Europe/Paris"),
            {
                "entity_id": "order-1",
                "start_time": "2025-10-25T22:00:00.000000000Z",
                "end_time": "2025-10-26T23:00:00.000000000Z",
            },
        ),
        (
            (*TYPE, "--from-day", "2025-03-08", "--to-day", "2025-03-09", "--calendar", "America/New_York"),
            {
                "source": "shop",
                "event_type": "order.paid",
                "start_time": "2025-03-08T05:00:00.000000000Z",
                "end_time": "2025-03-10T04:00:00.000000000Z",
            },
        ),
        ((*TYPE, "--day", "2025-11-28"), {"source": "shop", "event_type": "order.paid", "day": "2025-11-28"}),
        (
            (*TYPE, "--from-day", "2025-11-01", "--to-day", "2025-11-28"),
            {"source": "shop", "event_type": "order.paid", "start_day": "2025-11-01", "end_day": "2025-11-28"},
        ),
        (
            (*TYPE, "--since", "2025-11-28T10:00", "--until", "12:00:00.000000001"),
            {
                "source": "shop",
                "event_type": "order.paid",
                "start_time": "2025-11-28T10:00:00.000000000Z",
                "end_time": "2025-11-28T12:00:00.000000001Z",
            },
        ),
        (
            (*TYPE, "--type", "order.sent", "--day", "2025-11-28"),
            {"source": "shop", "event_types": ["order.paid", "order.sent"], "day": "2025-11-28"},
        ),
        (
            (*TYPE, "--since", "2025-11-28", "--until", "2025-11-29"),
            {
                "source": "shop",
                "event_type": "order.paid",
                "start_time": "2025-11-28T00:00:00.000000000Z",
                "end_time": "2025-11-29T00:00:00.000000000Z",
            },
        ),
    ],
)
def test_what_is_selected(options: tuple[str, ...], body: dict[str, Any]) -> None:
    with serving(takes(preview())) as api:
        api.run("replay", "preview", *options)

    assert (api.asked[0].query, api.asked[0].body) == ({"dry_run": "true"}, body)


@pytest.mark.parametrize(
    ("options", "members"),
    [
        (("--max-messages", "5"), {"max_messages": 5}),
        (("--include-duplicates",), {"include_duplicates": True}),
        (("--whole-days",), {"whole_days": True}),
        (("--rate", "2.5"), {"rate": 2.5}),
        (("--destination", "billing"), {"destination": "billing"}),
        (("--reason", "closing"), {"reason": "closing"}),
        (("--include-source", "a", "--include-source", "b"), {"include": {"sources": ["a", "b"]}}),
        (("--include-type", "t", "--include-min-lag-ms", "5"), {"include": {"event_types": ["t"], "min_lag_ms": 5}}),
        (("--include-event", SHA), {"include": {"event_ids": [SHA]}}),
        (("--exclude-source", "a", "--exclude-type", "t"), {"exclude": {"sources": ["a"], "event_types": ["t"]}}),
        (("--exclude-event", SHA, "--exclude-min-lag-ms", "0"), {"exclude": {"event_ids": [SHA], "min_lag_ms": 0}}),
    ],
)
def test_every_option_of_the_api(options: tuple[str, ...], members: dict[str, Any]) -> None:
    with serving(takes(preview())) as api:
        result = api.run(*DAY, *options, "--yes")

    (sent,) = requests(api.asked)
    assert exit_code(result) == 0
    assert sent.body == REQUEST | members | {"confirm": 3}
    assert parse_replay_request(json.dumps(sent.body).encode()).confirm == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "name an entity, or give --source and --type"),
        (("--source", "shop"), "--type: give a type of the source, too: `retrace sources` lists them"),
        (("--type", "order.paid"), "--source: give the source of the type, too"),
        (("order-1",), "say which events"),
        (("order-1", *TYPE, "--day", "2025-11-28"), "--include-source"),
        (("order-1", "--day", "2025-11-28", "--since", "2h"), "either days or times"),
        (("order-1", "--day", "2025-11-28", "--from-day", "2025-11-27"), "are a range"),
        (("order-1", "--to-day", "2025-11-28"), "needs --from-day"),
        ((*TYPE, "--since", "2025-11-28", "--day", "2025-11-28"), "either days or times"),
        ((*TYPE, "--until", "2025-11-28"), "say which events"),
        (TYPE, "say which events"),
        (("order-1", "--day", "someday"), "is not a day"),
        (("order-1", "--from-day", "2025-11-28", "--to-day", "2025-11-27"), "must not lie after --to-day"),
        ((*TYPE, "--since", "2025-11-28", "--until", "2025-11-27"), "must lie before --until"),
        (("order-1", "--since", "2h", "--calendar", "Europe/Paris"), "needs --day, or --from-day and --to-day"),
        (("order-1", "--day", "1d", "--calendar", "Europe/Pari"), "is not a time zone. Did you mean Europe/Paris"),
    ],
)
def test_selections_that_make_no_sense(options: tuple[str, ...], told: str) -> None:
    with serving(takes(preview())) as api:
        result = api.run("replay", "create", *options)

    assert exit_code(result) == 2
    assert told in " ".join(said(result).split())
    assert api.asked == []


@pytest.mark.parametrize(
    ("zone", "start", "follow"),
    [
        ("Europe/Paris", "2025-11-27T23:00:00.000000000Z", "depot-lyon 2025-11-28 --calendar Europe/Paris"),
        ("America/New_York", "2025-11-28T05:00:00.000000000Z", "depot-lyon 2025-11-28 --calendar America/New_York"),
        ("UTC", "2025-11-28T00:00:00.000000000Z", "depot-lyon 2025-11-28"),
    ],
)
def test_the_next_command_names_the_day_of_the_calendar_that_was_asked_for(zone: str, start: str, follow: str) -> None:
    ended = job(request=REQUEST | {"start_time": start})
    with serving(takes(preview(3), (202, job("PLANNING")), **{STATUS: (200, ended)})) as api:
        result = api.run(*DAY, "--calendar", zone, "--yes", "--wait")

    assert f"What came of it: retrace aggregates get {follow}\n" in result.stderr


LEFT = REQUEST | {"destination": "billing", "only": "unprocessed", "of": REPLAY_ID}


def test_what_a_replay_left_is_asked_for_by_the_beginning_of_its_id() -> None:
    listed = {"items": [job()], "cursor": None}
    with serving(takes(preview(2, request=LEFT), **{"GET /replay": (200, listed)})) as api:
        result = api.run("replay", "create", "--only", "unprocessed", "--of", REPLAY_ID[:13], "--yes")

    (sent,) = requests(api.asked)
    assert exit_code(result) == 0
    assert sent.body == {"only": "unprocessed", "of": REPLAY_ID, "confirm": 2}


def test_what_was_not_sent_to_a_destination_is_asked_for_with_a_selection() -> None:
    with serving(takes(preview(2))) as api:
        api.run(*DAY, "--only", "not-sent-to", "--destination", "billing", "--yes")

    (sent,) = requests(api.asked)
    assert sent.body == REQUEST | {"only": "not_sent_to", "destination": "billing", "confirm": 2}


@pytest.mark.parametrize("more", [("order-1",), ("--day", "1d"), ("--source", "shop"), ("--calendar", "UTC")])
def test_a_replay_whose_rest_is_asked_for_says_which_events(more: tuple[str, ...]) -> None:
    with serving(takes(preview(2))) as api:
        result = api.run("replay", "create", "--only", "unprocessed", "--of", REPLAY_ID, *more)

    assert exit_code(result) == 2
    assert "the replay says which events" in said(result).replace("\n", " ")
    assert api.asked == []


def test_that_nothing_is_left_is_told_in_the_words_of_the_api() -> None:
    told = f"Each of the 3 messages of replay {REPLAY_ID} was processed, or passes no filter."
    with serving(takes(preview(0, request=LEFT, scanned=3, advice=told))) as api:
        result = api.run("replay", "create", "--only", "unprocessed", "--of", REPLAY_ID, "--yes")

    assert told in result.stderr
    assert requests(api.asked) == []


@pytest.mark.parametrize(
    ("members", "suggested"),
    [
        ({"failed": 1, "processed": 2}, True),
        ({"failed": 1, "processed": 1, "state": "SENT"}, True),
        (
            {"failed": 0, "processed": 1, "state": "SENT", "advice": "2 messages sent, and none reported for an hour."},
            True,
        ),
        ({"failed": 0, "processed": 1, "state": "SENT"}, False),
        ({"failed": 0, "processed": 3}, False),
        ({"failed": 1, "processed": 2, "request": REQUEST, "destination": "aggregates"}, False),
        ({"failed": 1, "processed": 2, "state": "FAILED"}, False),
        ({"failed": 0, "processed": 2, "state": "CANCELLED"}, True),
        ({"failed": 0, "processed": 3, "state": "CANCELLED"}, False),
        ({"failed": 0, "processed": 2, "state": "CANCELLED", "reports": False}, False),
    ],
)
def test_after_failures_at_a_consumer_the_command_that_sends_them_again_is_shown(
    members: dict[str, Any],
    suggested: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    ended = job(**{"request": REQUEST | {"destination": "billing"}, "destination": "billing", **members})
    with serving(routes({STATUS: (200, ended)})) as api:
        result = api.run("replay", "get", REPLAY_ID, "--table")

    assert (f"retrace replay create --only unprocessed --of {REPLAY_ID}" in said(result)) == suggested


def test_what_is_missing_is_named_where_replays_are_listed() -> None:
    with serving(routes({STATUS: (200, job(request=LEFT, destination="billing"))})) as api:
        result = api.run("replay", "get", REPLAY_ID, "--table")

    assert f"only what {REPLAY_ID} left unprocessed" in said(result).replace("\n", "")
