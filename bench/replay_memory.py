"""How much memory a planner and a processor need for replays of 1,000, 10,000 and 100,000 events.

    python -m bench.replay_memory [events ...]

On an embedded AWS, each replay by processes of its own: one planner and two processors in batches of a hundred. Each
replay runs twice, as tracing allocations needs memory too.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from bench import events
from bench.fleet import fleet
from bench.reports import Over
from bench.stack import Ground, ground
from chalicelib.domain.chunks import chunked
from embedded.api import Api
from embedded.client import Client
from embedded.problem import Problem

SIZES = (1_000, 10_000, 100_000)
EVENTS_A_REQUEST = 1_000
CLIENTS = 4
PROCESSORS = 2
MEGABYTE = 1_000_000

Needed = Mapping[str, int]
"""Bytes, by function; of several processes the most."""


FUNCTIONS = ("planner", "processor")


@dataclass(frozen=True)
class Measured:
    """What a replay of so many events needed: what the processes had, what was allocated, and what of that was kept."""

    count: int
    resident: Needed
    traced: Needed
    kept: Needed


def main(sizes: Sequence[int]) -> None:
    """Measure and print a table."""
    with ground({}) as quiet, tempfile.TemporaryDirectory() as logs:
        _ingest(quiet, max(sizes))
        print("| events | planner | processor | allocated by planner | by processor | kept by planner | by processor |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for measured in _measured(quiet, sizes, Path(logs)):
            print(_row(measured), flush=True)


def _measured(quiet: Ground, sizes: Sequence[int], logs: Path) -> Iterator[Measured]:
    for count in sizes:
        plain = _replayed(quiet, count, logs / f"{count}.log")
        traced = _replayed(quiet, count, logs / f"{count}-traced.log", "--traced")
        yield Measured(
            count,
            _most(plain, lambda over: over.resident_bytes),
            _most(traced, lambda over: over.traced_bytes),
            _most(traced, lambda over: over.kept_bytes),
        )


def _most(needed: Sequence[tuple[str, Over]], size: Callable[[Over], int]) -> Needed:
    return {name: max(size(over) for function, over in needed if function == name) for name in FUNCTIONS}


def _row(measured: Measured) -> str:
    kinds = (measured.resident, measured.traced, measured.kept)
    cells = (f"{needed[function] / MEGABYTE:.1f} MB" for needed in kinds for function in FUNCTIONS)
    return f"| {measured.count:,} | {' | '.join(cells)} |"


def _ingest(quiet: Ground, count: int) -> None:
    client = Client(quiet.stack)
    batches = list(chunked(list(events.of_a_month(count)), EVENTS_A_REQUEST))
    with ThreadPoolExecutor(CLIENTS) as clients:
        accepted = sum(answer.count("ACCEPTED") for answer in clients.map(client.ingest, batches))
    if accepted != sum(map(len, batches)):
        raise Problem(f"Only {accepted} events were accepted.", "")


def _replayed(quiet: Ground, count: int, log: Path, *options: str) -> list[tuple[str, Over]]:
    """Replay so many events by new processes; answers what memory each needed, by its function."""
    with fleet(quiet.environment, log) as workers:
        workers.start("planner", *options)
        for _ in range(PROCESSORS):
            workers.start("processor", "--batch", "100", *options)
        path = f"/replay/{_requested(quiet, count)}"
        while json.loads(Api(quiet.stack).call("GET", path).data)["state"] != "COMPLETE":
            for _ in workers.reports(1.0):
                pass
        return workers.end()


def _requested(quiet: Ground, count: int) -> str:
    request = {
        "source": events.SOURCE,
        "event_type": events.EVENT_TYPE,
        "start_day": str(events.FIRST_DAY),
        "end_day": str(events.LAST_DAY),
        "limit": count,
    }
    headers = {"Content-Type": "application/json"}
    answer = Api(quiet.stack).call("POST", "/replay", body=json.dumps(request).encode(), headers=headers)
    if answer.status != HTTPStatus.ACCEPTED:
        raise Problem(f"The replay was not taken: {answer.data!r}", "")
    replay_id: str = json.loads(answer.data)["replay_id"]
    return replay_id


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
