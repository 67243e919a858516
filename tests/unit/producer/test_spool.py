"""The spool beneath a producer: what it keeps, counts and gives back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrace.producer.encoding import Line, ProducerError
from retrace.producer.spool import FILE, Spool
from tests.copied_project import ROOT

FORKED = """
import os, signal, sys
from pathlib import Path
from retrace.producer.encoding import Line
from retrace.producer.spool import Spool
spool = Spool(Path({spool!r}), fsync=False)
spool.append(Line(b"before", False), 0.0)
child = os.fork()
if child == 0:
    {child}
    sys.exit()
os.waitpid(child, 0)
spool.append(Line(b"after", False), 0.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def texts(spool: Spool) -> list[bytes]:
    """Every event that it has, in order."""
    found: list[bytes] = []
    row_id = 0
    while rows := spool.rows_from(row_id, 1_000_000)[0]:
        found += [row.line.text for row in rows]
        row_id = rows[-1].row_id + 1
    return found


@pytest.mark.parametrize("child", ["pass", "del spool"])
def test_a_forked_child_that_ends_does_not_close_the_log_that_its_parent_writes(child: str, tmp_path: Path) -> None:
    code = FORKED.format(spool=str(tmp_path), child=child)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)  # noqa: S603  # ours

    spool = Spool(tmp_path, fsync=False)
    found = texts(spool)
    spool.close()
    assert found == [b"before", b"after"]


lines = st.builds(Line, st.binary(min_size=1, max_size=40), st.booleans())


@given(st.lists(lines, max_size=40), st.integers(1, 200))
def test_every_event_is_in_one_batch_in_order_of_one_form_and_within_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, sent: list[Line], most: int
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"), fsync=False)
    for line in sent:
        spool.append(line, 0.0)
    assert (spool.events, spool.bytes) == (len(sent), sum(len(line.text) + 32 for line in sent))

    found: list[Line] = []
    while (batch := spool.rows_from(0, most))[0]:
        rows, following = batch
        assert len({row.line.cloudevent for row in rows}) == 1
        assert len(rows) == 1 or sum(row.size for row in rows) <= most
        assert following is None or following.line == sent[len(found) + len(rows)]
        found += [row.line for row in rows]
        spool.remove(rows)

    assert (found, spool.events, spool.bytes) == (sent, 0, 0)
    spool.close()


@pytest.mark.parametrize("fsync", [False, True])
def test_a_reopened_spool_has_what_was_not_removed_and_numbers_on(fsync: bool, tmp_path: Path) -> None:  # noqa: FBT001
    spool = Spool(tmp_path, fsync=fsync)
    rows = [spool.append(Line(b"%d" % number, cloudevent=False), 0.0) for number in range(3)]
    spool.remove(rows[:1])
    spool.close()

    again = Spool(tmp_path, fsync=fsync)
    kept = (texts(again), again.events, again.bytes, again.next_id)
    again.close()
    assert kept == ([b"1", b"2"], 2, 66, 4)


def test_an_empty_spool_gives_its_room_back_when_it_is_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, fsync=False)
    rows = [spool.append(Line(b"x" * 10_000, cloudevent=False), 0.0) for _ in range(100)]
    spool.remove(rows)
    spool.close()

    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_size < 20_000


def test_events_are_for_their_owner_alone(tmp_path: Path) -> None:
    Spool(tmp_path / "a" / "spool", fsync=False).close()

    assert (tmp_path / "a" / "spool").stat().st_mode & 0o077 == 0


def test_fsync_makes_each_event_outlast_a_power_cut(tmp_path: Path) -> None:
    """SQLite syncs its log with each commit at FULL (2), and with each checkpoint at NORMAL (1)."""
    found = {}
    for fsync in (False, True):
        spool = Spool(tmp_path / str(fsync), fsync=fsync)
        [found[fsync]] = spool._database.execute("PRAGMA synchronous").fetchone()  # noqa: SLF001  # no other sign of it
        spool.close()

    assert found == {False: 1, True: 2}


def test_a_spool_of_another_version_is_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()

    with pytest.raises(ProducerError, match="of version 2, and this producer writes version 1"):
        Spool(tmp_path, fsync=False)
