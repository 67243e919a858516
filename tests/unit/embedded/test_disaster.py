"""What is remembered of answers, and what of it is lost."""

from __future__ import annotations

from embedded.disaster import EVENTS, LISTS, METRICS, RAW, ApiSnapshot, Question, questions_about

EVENT: Question = (EVENTS, "/events/1", ())
TEXT: Question = (RAW, "/events/1/raw", ())
LIST: Question = (LISTS, "/events", (("entity_id", "e"),))


def row(number: int) -> dict[str, dict[str, str]]:
    members = {"event_id": f"{number:064}", "source": "s", "event_type": "t", "entity_id": f"e{number % 2}"}
    times = {"event_time": "2026-11-21T10:00:00.000000000Z", "ingest_time": "2026-11-22T10:00:00.000000000Z"}
    return {name: {"S": said} for name, said in {**members, **times}.items()}


def test_what_is_answered_otherwise_is_lost() -> None:
    before = ApiSnapshot({EVENT: {"event_id": "1"}, TEXT: b"1", LIST: ("one", "two")})

    assert before.lost_in(before) == []
    assert before.lost_in(ApiSnapshot({EVENT: {"event_id": "1"}, TEXT: b"2", LIST: ("one",)})) == [TEXT, LIST]
    assert before.lost_in(ApiSnapshot({EVENT: None})) == [EVENT, TEXT, LIST]


def test_things_are_counted_and_not_questions() -> None:
    told = ApiSnapshot({EVENT: None, TEXT: b"1", LIST: ("one", "two")})

    assert (told.count(EVENTS), told.count(RAW), told.count(LISTS)) == (0, 1, 2)
    assert told.of(RAW) == ApiSnapshot({TEXT: b"1"})


def test_every_event_is_asked_for_and_of_very_many_some() -> None:
    few, many = (questions_about([row(number) for number in range(count)], ["weight"]) for count in (3, 2_000))

    assert (METRICS, "/metrics/weight", ()) in few
    assert sum(kind == RAW for kind, _, _ in few) == 3
    assert sum(kind == RAW for kind, _, _ in many) == 400
