"""Memory and processor time of the largest requests to POST /ingest, for bench/performance.md and the function's size.

python -m tests.bench.large_requests [--write]
python -m tests.bench.large_requests NAME    prints one of them as JSON: each needs a process of its own

Each body has 10 MB in gzip. AWS is answered by a stand-in that keeps nothing, so all memory is the function's own.
Memory is the peak of the process. Processor time means something only beside that of a request of 1,000 events.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.instrumentation import ENVIRONMENT
from bench.lambda_events import Context, request
from bench.markdown import PERFORMANCE, publish, table
from bench.orders import DAY, Json, order
from bench.stub_transport import StubTransport
from chalicelib.ingest.request import MAX_BYTES

SMALL = 290_000
"""Bytes of the request beside which the large ones are measured."""


def event(number: int) -> bytes:
    """A line of 290 bytes, its break included."""
    return json.dumps(order(number, number, f"{DAY}T10:00:00.{number:09d}Z")).encode().ljust(289) + b"\n"


def known(number: int) -> bytes:
    """The same event each time."""
    return event(number and 1)


def invalid(number: int) -> bytes:
    """An event without a source."""
    return event(number).replace(b'"source"', b'"origin"')


def short(number: int) -> bytes:
    """A line so short that 10 MB have as many as a request may, which is not valid."""
    return b'{"specversion":"1.0","id":"%06d"}'.ljust(99) % number + b"\n"


BODIES: Mapping[str, Callable[[int], bytes]] = {
    "new events of 290 bytes": event,
    "duplicates of 290 bytes": known,
    "invalid events of 290 bytes": invalid,
    "invalid events of 100 bytes": short,
}


class Forgetful(StubTransport):
    """AWS that takes everything and knows nothing."""

    def _write(self, name: str, asked: Json) -> None:
        """Keeps nothing."""

    def _operation(self, name: str, asked: Json) -> Json:
        answer = super()._operation(name, asked)
        self.objects.clear()
        return answer


def measured(name: str) -> Json:
    """What a request of this name takes, in a process that has answered small ones before."""
    os.environ.update({**ENVIRONMENT, "CONCURRENCY": "16", "POWERTOOLS_LOG_LEVEL": "WARNING"})
    import app  # noqa: PLC0415  # not before the environment stands
    from chalicelib.runtime import system  # noqa: PLC0415  # likewise

    Forgetful().attach(system.s3(), system.dynamodb())
    _, small, large = (_sent(app.app, posted(body_of(BODIES[name], size))) for size in (SMALL, SMALL, MAX_BYTES))
    return {"events": large.events, "mb_before": small.peak_mb, "mb": large.peak_mb, "ratio": large.cost / small.cost}


@dataclass(frozen=True)
class Sent:
    """What a request took."""

    events: int
    seconds: float
    peak_mb: float

    @property
    def cost(self) -> float:
        """Seconds of an event."""
        return self.seconds / self.events


def _sent(function: Callable[[Json, Context], Json], asked: Json) -> Sent:
    begun = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        answer = function(asked, Context())
    seconds = time.process_time() - begun
    return Sent(sum(json.loads(answer["body"])["counts"].values()), seconds, peak_mb())


def body_of(line: Callable[[int], bytes], size: int) -> bytes:
    """As many lines as fit."""
    return b"".join(line(number) for number in range(size // len(line(0))))


def posted(body: bytes) -> Json:
    """POST /ingest of lines in gzip, as API Gateway hands it over."""
    asked = request("POST", "/ingest", base64.b64encode(gzip.compress(body, 1)).decode())
    said = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    asked["headers"] |= said
    asked["multiValueHeaders"] |= {name: [value] for name, value in said.items()}
    return asked | {"isBase64Encoded": True}


def peak_mb() -> float:
    """The most memory that this process ever had; what getrusage says includes that of the one that started it."""
    [kilobytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1_024 / 1e6


def measured_apart(name: str) -> Json:
    """The same, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.large_requests", name]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # fixed ones
    found: Json = json.loads(said.stdout)
    return found


def table_of(found: Mapping[str, Json]) -> str:
    """As Markdown."""
    head = ["10 MB of", "events", "MB before", "MB at most", "time for an event, beside a small request"]
    rows = ((name, each["events"], each["mb_before"], each["mb"], each["ratio"]) for name, each in found.items())
    return table(head, rows)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in BODIES:
        print(json.dumps(measured(sys.argv[1])))  # noqa: T201  # what it measured
    else:
        tables = {"large": table_of({name: measured_apart(name) for name in BODIES})}
        publish(PERFORMANCE, "tests.bench.large_requests", tables)
