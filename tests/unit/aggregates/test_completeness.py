"""A version says whether it stands for its whole day, and what it may have missed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aggregates.aggregate import Aggregate, Version
from chalicelib.aggregates.completeness import VersionStatus
from chalicelib.aggregates.ports import AggregateVersion
from chalicelib.core.timestamps import Day, Instant, parse_instant
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.job import JobState, ReplayJob
from chalicelib.replays.request import ReplayRequest
from tests.unit.examples import an_event, stored

DAY = Day("2026-11-21")
ASKED = parse_instant("2026-11-22T12:00:00Z")
BEFORE, AFTER = parse_instant("2026-11-22T11:59:59Z"), parse_instant("2026-11-22T12:00:01Z")

ENTITY = {"entity_id": "order-1007"}
OF_A_TYPE = {"source": "shop/checkout", "event_type": "order.paid"}
TYPE = OF_A_TYPE | {"day": "2026-11-21"}
TYPE_MORNING = OF_A_TYPE | {"start_time": "2026-11-21T06:00:00Z", "end_time": "2026-11-21T12:00:00Z"}


def window(start: str, end: str) -> dict[str, str]:
    return ENTITY | {"start_time": start, "end_time": end}


WHOLE_DAY = window("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")


def job(request: dict[str, Any] = WHOLE_DAY, **members: Any) -> ReplayJob:
    """A job that is complete unless its members say otherwise."""
    given_members: dict[str, Any] = {"state": JobState.SENT, "sent": 5, "processed": 5} | members
    asked = ReplayRequest.model_validate(request)
    return ReplayJob("replay-1", asked, "somebody", ASKED, ASKED, shards=4, **given_members)


def status(of: ReplayJob | None, replay_id: str = "replay-1", computed_at: Instant = ASKED) -> VersionStatus:
    """A version and the job that computed it."""
    return VersionStatus(AggregateVersion(Version("order-1007", DAY, replay_id), Aggregate(), computed_at), of)


def in_paris(of: ReplayJob) -> VersionStatus:
    """The version of a day that begins at 23:00 UTC, on the day before."""
    version = Version("order-1007", DAY, "replay-1", calendar="Europe/Paris")
    return VersionStatus(AggregateVersion(version, Aggregate(), ASKED), of)


def event(ingest_time: Instant = BEFORE, **members: Any) -> StoredEvent:
    """An event of the day."""
    return stored(an_event(**members), ingest_time)


class TestComplete:
    @pytest.mark.parametrize(
        "request_",
        [
            WHOLE_DAY,
            window("2026-11-20T12:00:00Z", "2026-11-23T12:00:00Z"),
            window("2026-11-21T01:00:00+01:00", "2026-11-22T01:00:00+01:00"),
        ],
    )
    def test_is_what_a_complete_replay_of_the_whole_day_computed(self, request_: dict[str, str]) -> None:
        assert status(job(request_)).partial_because == ()


class TestPartial:
    @pytest.mark.parametrize("state", [JobState.PLANNING, JobState.SENDING, JobState.CANCELLED, JobState.FAILED])
    def test_is_a_version_whose_replay_is_not_complete(self, state: JobState) -> None:
        assert status(job(state=state)).partial_because == (
            f"Its replay is {state.value}, with 5 of 5 sent messages processed.",
        )

    def test_is_a_version_whose_messages_are_not_all_processed(self) -> None:
        assert status(job(processed=3)).partial_because == ("Its replay is SENT, with 3 of 5 sent messages processed.",)

    def test_is_a_version_of_part_of_the_day_which_says_what_is_left_out(self) -> None:
        assert status(job(window("2026-11-21T06:00:00Z", "2026-11-21T23:59:59.999999999Z"))).partial_because == (
            "Its replay leaves out the day's events before 2026-11-21T06:00:00Z.",
            "Its replay leaves out the day's events from 2026-11-21T23:59:59.999999999Z on.",
        )

    def test_is_a_version_of_one_source_and_type(self) -> None:
        assert status(job(TYPE)).partial_because == (
            "It covers events of source shop/checkout and type order.paid only.",
        )

    def test_is_a_version_of_a_window_of_one_source_and_type(self) -> None:
        assert status(job(TYPE_MORNING)).partial_because == (
            "It covers events of source shop/checkout and type order.paid only.",
            "Its replay leaves out the day's events before 2026-11-21T06:00:00Z.",
            "Its replay leaves out the day's events from 2026-11-21T12:00:00Z on.",
        )

    def test_is_a_version_of_several_types_of_a_source(self) -> None:
        several = {"source": "shop/checkout", "event_types": ["order.paid", "order.sent"], "day": "2026-11-21"}

        assert status(job(several)).partial_because == (
            "It covers events of source shop/checkout and type order.paid or order.sent only.",
        )
        assert status(job(several)).may_lack(event(BEFORE, event_type="order.sent"))
        assert not status(job(several)).may_lack(event(BEFORE, event_type="order.refunded"))

    def test_is_a_version_of_one_raw_object(self) -> None:
        assert status(None, "object-0123").partial_because == ("It covers the events of one raw object only.",)

    def test_is_a_version_whose_replay_is_not_known(self) -> None:
        assert status(None).partial_because == ("Its replay is unknown, so what it covered is unknown, too.",)

    def test_gives_every_reason(self) -> None:
        unfinished = job(window("2026-11-21T06:00:00Z", "2026-11-21T18:00:00Z"), state=JobState.CANCELLED)

        assert len(status(unfinished).partial_because) == 3

    def test_is_a_version_some_of_whose_messages_are_dead_letters(self) -> None:
        assert status(job(processed=3, failed=2)).partial_because == ("Of its replay's 5 messages, 2 failed.",)

    def test_is_a_version_whose_replay_took_only_some_events(self) -> None:
        assert status(job(WHOLE_DAY | {"exclude": {"min_lag_ms": 1}})).partial_because == (
            "Its replay took only events that pass its filters.",
        )

    def test_is_a_version_of_what_another_replay_left(self) -> None:
        rest = job(WHOLE_DAY | {"only": "unprocessed", "of": "replay-0"})

        assert status(rest).partial_because == ("Its replay took only what replay replay-0 left unprocessed.",)
        assert not status(rest).may_lack(event(BEFORE))

    def test_is_a_version_whose_replay_ended_after_max_messages(self) -> None:
        assert status(job(WHOLE_DAY | {"max_messages": 5})).partial_because == (
            "Its replay ended after max_messages (5).",
        )
        assert status(job(WHOLE_DAY | {"max_messages": 6})).partial_because == ()


class TestWholeDays:
    """A version that is there was computed from all of its day, whatever had its day found."""

    @pytest.mark.parametrize(
        "request_",
        [
            TYPE | {"whole_days": True},
            TYPE | {"whole_days": True, "include": {"min_lag_ms": 1}},
            TYPE_MORNING | {"whole_days": True},
            window("2026-11-21T06:00:00Z", "2026-11-21T07:00:00Z") | {"whole_days": True},
            WHOLE_DAY | {"whole_days": True, "include": {"event_types": ["order.refunded"]}},
        ],
    )
    def test_are_complete_and_cover_every_event(self, request_: dict[str, Any]) -> None:
        assert status(job(request_)).partial_because == ()
        assert status(job(request_)).may_lack(event(BEFORE, source="shop/returns", event_time="2026-11-21T00:00:00Z"))


class TestMayMiss:
    @pytest.mark.parametrize("of", [job(), job(TYPE), job(state=JobState.SENDING), None])
    def test_what_was_ingested_after_it_was_asked_for(self, of: ReplayJob | None) -> None:
        assert status(of).may_lack(event(AFTER))

    @pytest.mark.parametrize("request_", [WHOLE_DAY, TYPE])
    def test_what_a_complete_replay_covers_even_if_it_was_received_earlier(self, request_: dict[str, str]) -> None:
        assert status(job(request_)).may_lack(event(BEFORE))

    def test_not_what_was_there_before_but_was_not_covered(self) -> None:
        morning = job(window("2026-11-21T00:00:00Z", "2026-11-21T12:00:00Z"))

        assert not status(morning).may_lack(event(BEFORE))
        assert not status(job(TYPE)).may_lack(event(BEFORE, source="shop/returns"))
        assert not status(job(TYPE_MORNING)).may_lack(event(BEFORE, event_time="2026-11-21T12:00:00Z"))
        assert status(job(TYPE_MORNING)).may_lack(event(BEFORE, event_time="2026-11-21T11:59:59.999999999Z"))
        assert not status(job(TYPE)).may_lack(event(BEFORE, event_type="order.refunded"))
        assert not status(job(WHOLE_DAY | {"entity_id": "order-1008"})).may_lack(event(BEFORE))

    def test_not_what_was_there_before_and_did_not_pass_the_filters(self) -> None:
        of_other_types = job(WHOLE_DAY | {"exclude": {"event_types": ["order.paid"]}})

        assert not status(of_other_types).may_lack(event(BEFORE))
        assert status(of_other_types).may_lack(event(BEFORE, event_type="order.refunded"))

    def test_the_end_of_a_window_is_not_covered(self) -> None:
        until = job(window("2026-11-21T00:00:00Z", "2026-11-21T23:59:59.5Z"))

        assert not status(until).may_lack(event(BEFORE, event_time="2026-11-21T23:59:59.5Z"))
        assert status(until).may_lack(event(BEFORE, event_time="2026-11-21T23:59:59.499999999Z"))

    def test_the_start_of_a_window_is_covered(self) -> None:
        since = job(window("2026-11-21T06:00:00Z", "2026-11-22T00:00:00Z"))

        assert status(since).may_lack(event(BEFORE, event_time="2026-11-21T06:00:00Z"))
        assert not status(since).may_lack(event(BEFORE, event_time="2026-11-21T05:59:59.999999999Z"))

    @pytest.mark.parametrize("of", [job(TYPE | {"source": "shop/returns"}), job(state=JobState.SENDING), None])
    def test_not_what_was_ingested_at_the_moment_it_was_asked_for(self, of: ReplayJob | None) -> None:
        assert not status(of).may_lack(event(ASKED))
        assert status(of).may_lack(event(parse_instant("2026-11-22T12:00:00.000000001Z")))

    def test_not_what_was_there_before_where_no_job_tells_what_was_covered(self) -> None:
        late = parse_instant("2026-11-23T00:00:00Z")

        assert not status(None, computed_at=late).may_lack(event(AFTER))

    @given(
        st.lists(st.tuples(st.integers(0, 23), st.booleans(), st.booleans()), max_size=30),
        st.integers(0, 11),
        st.integers(12, 23),
    )
    def test_counts_of_a_complete_replay_need_no_look_at_its_inputs(
        self, events: list[tuple[int, bool, bool]], first_hour: int, last_hour: int
    ) -> None:
        day = [
            (event(AFTER if late else BEFORE, event_time=f"2026-11-21T{hour:02d}:00:00Z", payload=number), was_there)
            for number, (hour, late, was_there) in enumerate(events)
        ]
        of = job(window(f"2026-11-21T{first_hour:02d}:00:00Z", f"2026-11-21T{last_hour:02d}:00:00Z"))
        start, end = of.request.window.start, of.request.window.end
        inputs = {single.event_id for single, was_there in day if was_there and start <= single.event_time < end}
        missed = [
            single
            for single, _ in day
            if single.event_id not in inputs
            and (start <= single.event_time < end or single.ingest_time > of.created_at)
        ]

        assert sum(status(of).may_lack(single) for single, _ in day) - len(inputs) == len(missed)


def test_a_version_is_settled_once_every_message_was_processed() -> None:
    assert status(job()).settled
    assert not status(job(processed=4)).settled
    assert not status(job(processed=4, failed=1)).settled
    assert not status(job(WHOLE_DAY | {"max_messages": 5})).settled
    assert status(job(WHOLE_DAY | {"max_messages": 6})).settled
    assert not status(None).settled
    assert not status(replace(job(), state=JobState.CANCELLED)).settled


class TestAnotherCalendar:
    def test_a_window_that_has_the_day_of_the_calendar_is_complete(self) -> None:
        of_day = in_paris(job(window("2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z")))

        assert of_day.partial_because == ()
        assert of_day.covers_day

    def test_the_utc_day_leaves_out_an_hour(self) -> None:
        assert in_paris(job()).partial_because == (
            "Its replay leaves out the day's events before 2026-11-21T00:00:00Z.",
        )
        assert not in_paris(job()).covers_day

    def test_whole_utc_days_may_be_a_part_of_it(self) -> None:
        by_type = in_paris(job(TYPE | {"whole_days": True}))

        assert by_type.partial_because == (
            "Its replay sent whole UTC days, which may be only a part of the day in Europe/Paris.",
        )
        assert not by_type.covers_day
        assert not by_type.may_lack(event(BEFORE))
        assert by_type.may_lack(event(AFTER))
