"""What a rebuild keeps of how far it is, and several calls at once with little in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from retrace.checking.checkpoint import Checkpoint
from retrace.concurrency import in_order, walked
from retrace.problem import Exit, Problem

_ABOUT = {"bucket": "raw", "shards": 4}


def test_objects_are_done_in_the_order_of_ingest_and_gone_on_with_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    first = Checkpoint(path, _ABOUT)
    first.add([("a", "3"), ("b", "1")])
    first.add([("c", "2"), ("d", "1")])
    first.end_listing()
    assert not first.resumed
    first.done({"b": True}, {"written": 2, "present": 1})
    first.done({"d": False}, {"written": 3, "present": 0})
    first.close(finished=False)

    second = Checkpoint(path, _ABOUT)

    assert (second.resumed, second.listed, second.counts()) == (True, True, (4, 2))
    assert list(second.todo()) == ["c", "a"]
    assert (second.damaged(), second.tally()) == (["b"], {"written": 5, "present": 1})
    second.close(finished=True)
    assert not path.exists()


def test_a_listing_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "checkpoint", _ABOUT)
    assert kept.listed_to == ""
    kept.add([("raw/a", "2"), ("raw/b", "1")])

    assert (kept.listed, kept.listed_to) == (False, "raw/b")
    kept.close(finished=True)


def test_more_objects_than_are_read_at_once_come_once_each_while_others_become_done(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "checkpoint", _ABOUT)
    kept.add((f"{number:05d}", str(number % 7)) for number in range(1_700))
    seen = []
    for key in kept.todo():
        seen.append(key)
        kept.done({key: False}, {})

    assert seen == sorted(seen, key=lambda key: (str(int(key) % 7), key))
    assert (len(seen), kept.counts()) == (1_700, (1_700, 1_700))
    kept.close(finished=True)


@pytest.mark.parametrize("about", [{"bucket": "other", "shards": 4}, {"bucket": "raw", "shards": 8}])
def test_the_checkpoint_of_another_rebuild_is_refused(tmp_path: Path, about: dict[str, object]) -> None:
    Checkpoint(tmp_path / "checkpoint", _ABOUT).close(finished=False)

    with pytest.raises(Problem, match="another rebuild") as refused:
        Checkpoint(tmp_path / "checkpoint", about)

    assert refused.value.exit_code is Exit.USAGE


def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and long enough to be looked at" * 100)

    with pytest.raises(Problem, match="cannot be used"):
        Checkpoint(path, _ABOUT)

    assert path.read_text().startswith("not a database")


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE mine (a TEXT)")
    before = path.read_bytes()

    with pytest.raises(Problem, match="not a Retrace checkpoint"):
        Checkpoint(path, _ABOUT)

    assert path.read_bytes() == before


def test_results_come_in_order_and_no_more_is_begun_than_is_taken() -> None:
    begun: list[int] = []
    lock = threading.Lock()

    def call(number: int) -> int:
        with lock:
            begun.append(number)
        return number * 2

    results = in_order(call, iter(range(1_000)), at_once=4)

    assert [next(results) for _ in range(3)] == [0, 2, 4]
    assert len(begun) <= 3 + 2 * 4
    assert list(results) == [number * 2 for number in range(3, 1_000)]


def test_walks_are_walked_to_their_ends() -> None:
    def step(at: tuple[str, int]) -> tuple[str, tuple[str, int] | None]:
        name, left = at
        return f"{name}{left}", (name, left - 1) if left else None

    assert sorted(walked(step, [("a", 2), ("b", 0)])) == ["a0", "a1", "a2", "b0"]


def test_what_fails_is_raised_and_the_rest_is_not_begun() -> None:
    def call(number: int) -> int:
        if number == 2:
            raise ValueError("no")
        return number

    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    with pytest.raises(ValueError, match="no"):
        list(in_order(call, endless(), at_once=2))
