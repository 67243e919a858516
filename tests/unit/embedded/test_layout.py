"""Locks: held by one process at a time, and dropped with it."""

import os
import subprocess
import sys
from pathlib import Path

from embedded.layout import is_locked, locked, try_lock


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as first, locked(tmp_path / "lock") as second:
        assert first
        assert not second


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        assert is_locked(tmp_path / "lock")

    assert not is_locked(tmp_path / "lock")


def test_no_file_is_no_lock(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "lock")


def test_a_process_that_inherits_a_lock_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    descriptor = try_lock(tmp_path / "lock")
    assert descriptor is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor]) as heir:
        os.close(descriptor)
        assert is_locked(tmp_path / "lock")
        heir.kill()
        heir.wait()

        assert not is_locked(tmp_path / "lock")
