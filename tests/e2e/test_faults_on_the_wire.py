"""Faults in 30 % of all AWS calls while functions are killed: a short `make endurance`, over a real wire.

Deployed functions and worker processes reach the embedded AWS through microburst only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.endurance.run import Plan, prepared
from tests.e2e.faults import Fault
from tests.sizes import is_full

pytestmark = pytest.mark.soak

PLAN = Plan(seconds=600 if is_full() else 8, calls=600, epoch_s=4, workers_every_s=3, functions_every_s=6)
USUAL = set(Fault) - {Fault.TIMED_OUT}
"""Of six hundred calls two time out, or none; each other kind strikes some twenty of them or more."""


def test_producers_see_2xx_or_503_and_nothing_is_lost_or_counted_twice(tmp_path: Path, seed: int) -> None:
    with prepared(replace(PLAN, seed=seed), tmp_path / "workers.log") as run:
        counts = run()

    assert (counts.ledger.violations, counts.unexplained) == ([], 0)
    account = counts.account
    assert (account.lost, account.counted_twice, account.wrong) == ([], [], [])
    assert account.accepted == account.sent > 0
    assert account.exact_replays > 0
    assert sum(counts.crashes.killed.values()) > 0
    assert {call.fault for call in counts.calls} >= USUAL
    assert 0.2 < counts.faults / sum(counts.calls.values()) < 0.4
