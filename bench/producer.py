"""Measure `retrace.Producer` beside a loop of `requests.post` and `retrace ingest`, for bench/performance.md.

python -m bench.producer [--write]

All three send to one deployed API on the embedded AWS, in turns. The loop sends one event a request, as a program would
that has no batches. How fast `send` alone is, is measured with an API that nobody serves.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.markdown import PERFORMANCE, publish, table
from bench.orders import Json, orders
from bench.rounds import Load, Rates, alternating, load_of
from embedded.connection import Stack
from embedded.stack import started
from retrace import Producer

LOOPED = 100
BATCHED = 4_000
SPOOLED = {False: 20_000, True: 500}
"""How many events `send` takes in a round, without and with fsync."""

PRODUCER, INGEST, LOOP = "`retrace.Producer`", "`retrace ingest`", "`requests.post`"
NOWHERE = "http://127.0.0.1:9/api"


@dataclass(frozen=True)
class Target:
    """A deployed API, which clients find in the environment, and where they may write."""

    stack: Stack
    directory: Path

    def produce(self, number: int) -> Load:
        """What a producer takes until each event is decided."""
        events = orders(f"order.produced-{number}", 0, BATCHED)
        with Producer(self.stack.api_url, spool=self.directory / "spool") as producer:
            return load_of(BATCHED, lambda: _produced(producer, events))

    def ingest(self, number: int) -> Load:
        """What the command takes, with its start."""
        path = self.directory / f"{number}.ndjson"
        path.write_text("".join(f"{json.dumps(event)}\n" for event in orders(f"order.file-{number}", 0, BATCHED)))
        command = [sys.executable, "-m", "retrace", "ingest", str(path)]
        return load_of(BATCHED, lambda: subprocess.run(command, check=True, capture_output=True))

    def loop(self, number: int) -> Load:
        """What requests of one event take."""
        url = f"{self.stack.api_url}/ingest"

        def post() -> None:
            for event in orders(f"order.looped-{number}", 0, LOOPED):
                requests.post(url, json=event, auth=self._signed, timeout=60).raise_for_status()

        return load_of(LOOPED, post)

    def _signed(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        said = {"Content-Type": prepared.headers["Content-Type"]}
        request = AWSRequest(prepared.method, prepared.url, said, prepared.body)
        key = Credentials(self.stack.access_key_id, self.stack.secret_access_key)
        SigV4Auth(key, "execute-api", self.stack.region).add_auth(request)
        prepared.headers.update(request.headers.items())
        return prepared


def _produced(producer: Producer, events: Sequence[Json]) -> None:
    for event in events:
        producer.send(event)
    producer.flush()


def sent(stack: Stack, directory: Path) -> Rates:
    """Let each send in turn, and before that once, so that the functions are warm."""
    key = {"AWS_ACCESS_KEY_ID": stack.access_key_id, "AWS_SECRET_ACCESS_KEY": stack.secret_access_key}
    os.environ.update({"RETRACE_URL": stack.api_url, "AWS_REGION": stack.region, **key})
    target = Target(stack, directory)
    target.produce(-1)
    return alternating("events sent", {PRODUCER: target.produce, INGEST: target.ingest, LOOP: target.loop})


def spooled(directory: Path) -> Rates:
    """How fast `send` returns."""
    logging.getLogger("retrace.producer").setLevel(logging.CRITICAL)

    def send(number: int, *, fsync: bool) -> Load:
        events = orders("order.spooled", 0, SPOOLED[fsync])
        spool = directory / f"{fsync}-{number}"
        with Producer(NOWHERE, spool=spool, region="eu-west-1", fsync=fsync, close_timeout_s=0) as producer:
            return load_of(len(events), lambda: [producer.send(event) for event in events])  # type: ignore[func-returns-value]  # it is timed

    return alternating("events taken by send", {f"fsync={fsync}": partial(send, fsync=fsync) for fsync in SPOOLED})


def tables(rates: Rates, spool: Rates) -> Mapping[str, str]:
    """Both, as Markdown."""
    rows = ((name, rates.median(name), rates.ratio(PRODUCER, name)) for name in (PRODUCER, INGEST, LOOP))
    return {
        "producer": table(("sent by", "events a second", "times as fast is the producer"), rows),
        "send": table(("`send` with", "events a second"), ((f"`{name}`", spool.median(name)) for name in spool.of)),
    }


if __name__ == "__main__":
    with started() as deployed, tempfile.TemporaryDirectory() as scratch:
        found = tables(sent(deployed, Path(scratch)), spooled(Path(scratch)))
    publish(PERFORMANCE, "bench.producer", found)
