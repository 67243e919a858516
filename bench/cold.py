"""What a cold function takes to import and to answer its first request, beside a peer, for docs/performance.md.

python -m bench.cold [--write]

Each is in an interpreter of its own, in turns with the others, and its processor time is that of the process without
that of an interpreter that imports nothing. A peer makes its clients while it is imported, Retrace with the first
request: so the time until an event is taken in is told too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from statistics import median

from bench.instrumentation import ENVIRONMENT
from bench.markdown import DOCS, publish, table

ROUNDS = 15
HANDLERS = {"app": "app", "bench.peers.powertools": "api"}
NOTHING = "import sys"
ANSWER = """
import contextlib, importlib, io
from bench import lambda_events
from bench.stub_transport import StubTransport
StubTransport().replace_network()
with contextlib.redirect_stdout(io.StringIO()):
    function = getattr(importlib.import_module("{module}"), "{handler}")
    answer = function(lambda_events.one(1), lambda_events.Context())
assert answer["statusCode"] in (200, 201), answer
"""
OF_PEERS = {"BUCKET": "peer", "COUNTS_TABLE": "counts", "QUEUE_URL": ENVIRONMENT["REPLAY_QUEUE_URL"]}


def measured(modules: Sequence[str] = tuple(HANDLERS), rounds: int = ROUNDS) -> str:
    """Every import, and every first answer, measured in turns; as Markdown."""
    imports = [f"import {module}" for module in modules]
    answers = [ANSWER.format(module=module, handler=HANDLERS[module]) for module in modules]
    found: dict[str, list[float]] = {code: [] for code in (NOTHING, *imports, *answers)}
    for _ in range(rounds):
        for code, times in found.items():
            times.append(_processor_ms(code))
    ms = {code: median(times) - median(found[NOTHING]) for code, times in found.items()}
    rows = zip((f"`{module}`" for module in modules), map(ms.get, imports), map(ms.get, answers), strict=True)
    return table(("of", "ms to import", "ms until an event is taken in"), rows)


def _processor_ms(code: str) -> float:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    child = subprocess.Popen([sys.executable, "-c", code], env=own | ENVIRONMENT | OF_PEERS, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"This failed: {code}")
    return (usage.ru_utime + usage.ru_stime) * 1_000


if __name__ == "__main__":
    publish(DOCS / "performance.md", "bench.cold", {"cold": measured()})
