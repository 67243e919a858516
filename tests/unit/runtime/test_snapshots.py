"""What a snapshot of an initialised function holds: nothing that each environment must have for itself."""

from __future__ import annotations

import subprocess
import sys

from infra.merge import ROOT

FRESH = """
import app
from chalicelib.runtime import event_wiring, system

made = [each for module in (event_wiring, system) for each in vars(module).values() if hasattr(each, "cache_info")]
print(len(made) > 5, sum(each.cache_info().currsize for each in made))
"""

# An environment begins with the state that was saved, and with the hooks that Lambda runs then.
RESTORED = """
import random
import app
from chalicelib.runtime import system
from snapshot_restore_py import get_after_restore

def restored():
    random.setstate(saved)
    for hook, arguments, named in get_after_restore():
        hook(*arguments, **named)
    return random.random(), system.new_id()

saved = random.getstate()
numbers, ids = zip(*(restored() for _ in range(100)))
print(len(set(numbers)), len(set(ids)))
"""


def run(program: str) -> str:
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, text=True, check=False
    )
    assert finished.stderr == ""
    return finished.stdout.strip()


def test_no_client_connection_setting_or_thread_is_made_before_the_first_call() -> None:
    assert run(FRESH) == "True 0"


def test_environments_of_one_snapshot_draw_pauses_and_ids_of_their_own() -> None:
    assert run(RESTORED) == "100 100"
