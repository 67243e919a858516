"""The events of a file: each that there is sent once, whatever the file says, wherever planners die."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.replays import commit_batch, events_file, named_events
from chalicelib.replays.events_file import LINE_BYTES, content_of, months_of
from chalicelib.replays.job import Cursor, JobState
from tests.unit.in_memory import FilesInMemory, one_by_one
from tests.unit.json_trees import randoms
from tests.unit.replays.test_planner import World, ids, minutes, troubles

BEFORE_ALL, AFTER_ALL = "0" * 64, "f" * 64


def small_pages(patched: pytest.MonkeyPatch, ids_a_page: int) -> None:
    patched.setattr(named_events, "PAGE_BYTES", ids_a_page * LINE_BYTES)
    patched.setattr(named_events, "PIECE_BYTES", 2 * LINE_BYTES)
    patched.setattr(named_events, "LOOKED_UP_A_CALL", 2)


@given(
    st.integers(0, 20),
    st.lists(st.integers(0, 5), max_size=5),
    troubles,
    st.sampled_from([0, 900_000]),
    st.sampled_from([1, 7, 2_000]),
    st.integers(1, 9),
    randoms,
)
def test_every_event_of_a_file_that_there_is_is_sent_once_and_every_other_counted_wherever_planners_die(  # noqa: PLR0913, PLR0917  # drawn one by one
    count: int, unknown: list[int], ahead: list[str], time_left: int, rows_a_batch: int, ids_a_page: int, rng: Random
) -> None:
    world = World()
    events = world.index_events(*minutes(count))
    wanted = [event for event in events if rng.random() < 0.7]
    missing = {f"{number:064x}" for number in unknown}
    listed = [*(event.event_id for event in wanted), *missing] * rng.randint(1, 3)
    rng.shuffle(listed)
    job = world.request({"events_file": world.files.keep(listed)})
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        small_pages(patched, ids_a_page)
        patched.setattr(commit_batch, "ROWS_A_BATCH", rows_a_batch)
        world.work_off(time_left)

    planned = world.job(job)
    assert planned.state is JobState.SENT
    assert world.sent == ids(wanted)
    assert (planned.matched, planned.sent, planned.not_found) == (len(wanted), len(wanted), len(missing))
    assert planned.scanned == len(wanted) + len(missing)


def test_a_file_is_read_on_after_the_last_id_that_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    small_pages(monkeypatch, 3)
    world = World()
    listed = [f"{number:064x}" for number in range(8)]
    request = world.request({"events_file": world.files.keep(listed)}).request
    origin = world.origins.of(request, 2, one_by_one)
    rows = list(origin.rows(Cursor()))

    assert [row.not_found for row in rows if row.not_found] == listed
    for done, row in enumerate(rows, 1):
        assert list(origin.rows(row.cursor)) == rows[done:]


@given(st.sets(st.integers(0, 19)), st.lists(st.integers(0, 3), max_size=3), st.integers(1, 5), troubles)
def test_the_days_of_a_file_are_found_and_sent_whole_wherever_planners_die(
    chosen: set[int], unknown: list[int], ids_a_page: int, ahead: list[str]
) -> None:
    world = World()
    events = world.index_events(*(f"2026-11-{1 + number % 10:02}T{number:02}:00:00Z" for number in range(20)))
    missing = {f"{number:064x}" for number in unknown}
    name = world.files.keep([*(events[number].event_id for number in chosen), *missing])
    job = world.request({"events_file": name, "whole_days": True})
    world.troubles.ahead = iter(ahead)

    with pytest.MonkeyPatch.context() as patched:
        small_pages(patched, ids_a_page)
        world.work_off()

    days = {number % 10 for number in chosen}
    assert world.sent == ids([event for number, event in enumerate(events) if number % 10 in days])
    assert world.job(job).not_found == len(missing)


def test_a_file_that_changes_while_it_is_read_sends_nothing_of_the_change() -> None:
    world = World()
    events = world.index_events(*minutes(6))
    listed = [event.event_id for event in events]
    name = world.files.keep(listed[:3])
    job = world.request({"events_file": name})
    world.files.kept[name] = content_of(listed[3:])

    with pytest.raises(IntegrityFailure, match="other content than its name says"):
        world.plan(job.replay_id, last_chance=True)

    assert (world.job(job).state, world.sent) == (JobState.FAILED, set())
    assert name in (world.job(job).failure or "")


NOT_AN_ID = "is not 64 lowercase hexadecimal digits and a line feed"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"{BEFORE_ALL}\n{BEFORE_ALL}\n", "line 2 repeats line 1"),
        (f"{BEFORE_ALL}\n{AFTER_ALL}\n{'a' * 64}\n", "line 3 must come before line 2"),
        (f"{BEFORE_ALL}\n{AFTER_ALL}", f"line 2 {NOT_AN_ID}"),
        (f"{BEFORE_ALL}\n\n", f"line 2 {NOT_AN_ID}"),
        (f"{'A' * 64}\n", f"line 1 {NOT_AN_ID}"),
        (f"{BEFORE_ALL}\r\n{AFTER_ALL}\r\n", f"line 1 {NOT_AN_ID}"),
        (f"{BEFORE_ALL}\n{BEFORE_ALL[:-1]}\n ", f"line 2 {NOT_AN_ID}"),
        ("é" * 32 + "\n", f"line 1 {NOT_AN_ID}"),
        ("".join(f"{number:064x}\n" for number in (1, 2, 3, 4, 4)), "line 5 repeats line 4"),
        ("".join(f"{number:064x}\n" for number in (1, 2, 2, 3)), "line 3 repeats line 2"),
        ("".join(f"{number:064x}\n" for number in (1, 3, 5, 4, 6, 2)), "line 4 must come before line 3"),
    ],
)
def test_a_malformed_file_fails_its_job_at_once_and_the_reason_names_the_first_wrong_line(
    monkeypatch: pytest.MonkeyPatch, content: str, told: str
) -> None:
    small_pages(monkeypatch, 2)
    files, name = FilesInMemory(), sha256(content.encode()).hexdigest()
    files.kept[name] = content.encode()
    world = World(files=files)
    job = world.request({"events_file": name})

    world.plan(job.replay_id)

    planned = world.job(job)
    assert (planned.state, world.sent) == (JobState.FAILED, set())
    assert f"The events file {name} is not valid: {told}. Sort the ids, without duplicates" in (planned.failure or "")
    assert "retrace replay create --events FILE does all this" in (planned.failure or "")


@given(st.lists(st.sampled_from([BEFORE_ALL, AFTER_ALL, "a" * 64])))
def test_content_names_each_event_once_in_order(listed: list[str]) -> None:
    assert content_of(listed).decode().split() == sorted(set(listed))
    assert content_of(listed) == content_of(reversed(listed))


@pytest.mark.parametrize(
    ("at", "months"),
    [
        ("2026-03-31T23:59:59.000000000Z", ["2026-03", "2026-02", "2026-01"]),
        ("2026-01-01T00:00:00.000000000Z", ["2026-01", "2025-12", "2025-11"]),
    ],
)
def test_months_go_back_over_the_end_of_a_year(at: str, months: list[str]) -> None:
    assert months_of(Instant(at), 3) == months


def test_a_file_is_kept_for_longer_than_any_replay_of_it_takes() -> None:
    slowest_s = events_file.MAX_EVENTS / 0.1
    oldest_days = (events_file.MONTHS_FOUND + 1) * 31

    assert oldest_days + slowest_s / 86_400 + 30 <= events_file.KEPT_DAYS


@given(st.dates(date(2026, 1, 1), date(2028, 12, 31)))
def test_a_file_that_is_kept_is_found(today: date) -> None:
    uploaded = today - timedelta(days=events_file.KEPT_DAYS)

    assert f"{uploaded:%Y-%m}" in months_of(Instant(f"{today}T00:00:00.000000000Z"), events_file.MONTHS_KEPT)
