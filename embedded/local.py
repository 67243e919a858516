"""`make local`: the code of the checkout, HTTP routes and queue handlers alike, run here and reloaded as it changes."""

import os
import socket
import sys
from collections.abc import Mapping

from embedded.layout import HOME, ROOT, Layout
from embedded.local_stack import local_stack
from embedded.narration import complain
from embedded.poller import CHALICE_STAGE
from embedded.ports import LOOPBACK, parse_port, require_free
from embedded.reloading import Command, Programs, run_reloading
from infra.command import Problem, interrupt_once, wait_until

SETTING = "RETRACE_LOCAL_PORT"
DEFAULT_PORT = "8000"
ANSWER_SECONDS = 20.0


def main(layout: Layout, environment: Mapping[str, str]) -> int:
    """Run until interrupted and return the exit status."""
    interrupt_once()
    try:
        _run(layout, environment)
    except Problem as problem:
        complain(problem.what, problem.remedy)
        return 1
    except KeyboardInterrupt:
        print("\nEnded. What was stored is kept.", flush=True)
    return 0


def _run(layout: Layout, environment: Mapping[str, str]) -> None:
    port = parse_port(environment.get(SETTING) or DEFAULT_PORT, SETTING)
    require_free(port, SETTING)
    with local_stack(layout, environment, _tell) as found:
        commands: dict[str, Command] = {
            "chalice local": _chalice(port),
            "the poller of the queues": [sys.executable, "-m", "embedded.poller"],
        }
        quiet = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore:IAMAuthorizer is not a supported in local mode"}
        run_reloading(Programs(commands, ROOT, found | quiet), lambda: _tell_how_to_use(layout, port), _tell)


def _chalice(port: int) -> Command:
    where = ["--host", LOOPBACK, "--port", str(port), "--stage", CHALICE_STAGE]
    return [sys.executable, "-m", "embedded.local_api", "--no-autoreload", *where]


def _tell(message: str) -> None:
    print(f"{message} …", flush=True)


def _tell_how_to_use(layout: Layout, port: int) -> None:
    if not wait_until(lambda: _listens(port), ANSWER_SECONDS):
        return  # it has said why, and is started anew when the code changes
    url = f"http://{LOOPBACK}:{port}"
    print(
        f"""
Retrace runs from this checkout at {url}; save a file, and it starts anew.
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


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


if __name__ == "__main__":
    sys.exit(main(Layout(HOME / "local"), os.environ))
