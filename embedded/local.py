"""Runs the checkout's HTTP routes and queue handlers, and restarts them when the code changes: `make local`.

Chalice's own reloading looks at every file beneath the project, virtual environments and the emulator's state
included, and so would restart at each write to S3. This looks at what is deployed, and nothing else.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded.layout import HOME, LOOPBACK, ROOT, Layout, listens, parse_port, require_free
from embedded.local_stack import local_stack
from embedded.poller import CHALICE_STAGE
from infra.command import exit_status, interrupt_once, say_doing, wait_until
from infra.merge import source_files

SETTING = "RETRACE_LOCAL_PORT"
DEFAULT_PORT = "8000"
ANSWER_SECONDS = 20.0
LOOK_SECONDS = 0.3
END_SECONDS = 15.0

Programs = Mapping[str, Sequence[str]]
"""Commands by the names shown to people."""
Snapshot = dict[Path, tuple[int, int]]


def main(layout: Layout, environment: Mapping[str, str]) -> int:
    """Run until interrupted and return the exit status."""
    interrupt_once()
    return exit_status(lambda: _run(layout, environment), "Ended. What was stored is kept.", 0)


def _run(layout: Layout, environment: Mapping[str, str]) -> None:
    port = parse_port(environment.get(SETTING) or DEFAULT_PORT, SETTING)
    require_free(port, SETTING)
    with local_stack(layout, environment, say_doing) as found:
        where = ["--host", LOOPBACK, "--port", str(port), "--stage", CHALICE_STAGE]
        programs = {
            "chalice local": [sys.executable, "-m", "embedded.local_api", "--no-autoreload", *where],
            "the poller of the queues": [sys.executable, "-m", "embedded.poller"],
        }
        quiet = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore:IAMAuthorizer is not a supported in local mode"}
        _run_reloading(programs, found | quiet, lambda: _tell_how_to_use(layout, port))


def _tell_how_to_use(layout: Layout, port: int) -> None:
    if not wait_until(lambda: listens(port), ANSWER_SECONDS):
        return  # it has reported why, and restarts when the code changes
    url = f"http://{LOOPBACK}:{port}"
    print(
        f"""
Retrace runs from this checkout at {url}; save a file to restart it.
Requests need no signature here; where it is deployed, they do.

  curl -sS {url}/ingest -H 'Content-Type: application/x-ndjson' \\
       --data-binary @examples/shop-day/day.ndjson
  curl -sS {url}/replay -H 'Content-Type: application/json' -d '{{"entity_id": "depot-lyon",
       "start_time": "2025-11-28T00:00:00Z", "end_time": "2025-11-29T00:00:00Z"}}'
  curl -sS {url}/replay/REPLAY_ID      # how far it is; the queue handlers log below
  curl -sS '{url}/aggregates?entity_id=depot-lyon&day=2025-11-28'

Ctrl-C ends it. What is stored is kept in {layout.directory}; delete that to start afresh.
""",
        flush=True,
    )


def _run_reloading(programs: Programs, environment: Mapping[str, str], begun: Callable[[], None]) -> None:
    """Run programs from here on; only an exception, such as KeyboardInterrupt, ends this. `begun` is called once."""
    seen = snapshot(ROOT)
    first = True
    while True:
        with _running(programs, environment) as children:
            if first:
                begun()
            first = False
            now = _changed(seen, children)
        names = sorted(path.name for path in now.keys() | seen.keys() if now.get(path) != seen.get(path))
        say_doing(f"Changed: {', '.join(names)}. Restarting")
        seen = now


@contextmanager
def _running(programs: Programs, environment: Mapping[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run programs for as long as the block lasts."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in programs.items():
            # In a group of its own, so that Ctrl-C reaches this process alone, which then ends them in order.
            children[name] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, process_group=0
            )
        yield children
    finally:
        _end(list(children.values()))


def snapshot(directory: Path) -> Snapshot:
    """Return the time and size of every source file."""
    states = {path: path.stat() for path in source_files(directory)}
    return {path: (state.st_mtime_ns, state.st_size) for path, state in states.items()}


def _changed(seen: Snapshot, children: Mapping[str, subprocess.Popen[bytes]]) -> Snapshot:
    """Return the next snapshot that differs; say so if a program ends in the meantime."""
    ended: set[str] = set()
    now = seen

    def changed() -> bool:
        nonlocal now
        for name, child in children.items():
            if name not in ended and child.poll() is not None:
                ended.add(name)
                say_doing(f"{name} has ended. It restarts when the code changes")
        now = snapshot(ROOT)
        return now != seen

    while not wait_until(changed, 3600, every=LOOK_SECONDS):
        pass
    return now


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main(Layout(HOME / "local"), os.environ))
