"""What planner and processor need in memory hardly grows with a replay: ten times the events, or a hundred times.

One planner and two processors work each replay off, in processes of their own. `make memory` takes 1,000, 10,000 and
100,000 events, and shows the table of tests/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench.markdown import table
from tests.e2e.deployed import Deployed
from tests.e2e.workers import events
from tests.e2e.workers.fleet import fleet
from tests.e2e.workers.stack import Ground, ground
from tests.sizes import is_full

pytestmark = pytest.mark.soak

SIZES = (1_000, 10_000, 100_000) if is_full() else (500, 5_000)
HARDLY_MORE = 1.25
FUNCTIONS = ("planner", "processor")
PROCESSORS = 2
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def quiet() -> Iterator[Ground]:
    """A deployed stack whose functions read no queue, with events for the largest replay."""
    with ground({}) as quiet:
        Deployed(quiet.stack).accepted(list(events.of_a_month(max(SIZES))))
        yield quiet


def test_memory_hardly_grows_with_the_size_of_a_replay(quiet: Ground, tmp_path: Path) -> None:
    needed = {count: replayed(quiet, count, tmp_path / f"{count}.log") for count in SIZES}

    print(as_table(needed))  # noqa: T201  # pytest shows it
    for function in FUNCTIONS:
        assert needed[SIZES[-1]][function] <= HARDLY_MORE * needed[SIZES[0]][function], function


def replayed(quiet: Ground, count: int, log: Path) -> Mapping[str, int]:
    """Replay this many events in new processes; returns the most memory that one of each function had."""
    deployed = Deployed(quiet.stack)
    with fleet(quiet.environment, log) as workers:
        workers.start("planner")
        for _ in range(PROCESSORS):
            workers.start("processor", "--batch", "100")
        days = {"start_day": str(events.FIRST_DAY), "end_day": str(events.LAST_DAY)}
        selection = {"source": events.SOURCE, "event_type": events.EVENT_TYPE, "max_messages": count}
        answer = deployed.post("/replay", {**selection, **days})
        assert answer.status == 202, answer.data
        path = f"/replay/{answer.json()['replay_id']}"
        while deployed.get(path)["state"] != "COMPLETE":
            for _ in workers.reports(1.0):
                pass
        ended = workers.end()
    return {name: max(over.resident_bytes for function, over in ended if function == name) for name in FUNCTIONS}


def as_table(needed: Mapping[int, Mapping[str, int]]) -> str:
    rows = ((count, *(f"{each[name] / MEGABYTE:.1f} MB" for name in FUNCTIONS)) for count, each in needed.items())
    return table(("events", *FUNCTIONS), rows)
