"""The faulty wire as a process: started before an emulator, told what to do to calls, asked what went over it."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3

from embedded.faults import Rule
from embedded.layout import emulator_program
from embedded.ports import LOOPBACK, free_port
from infra.command import Problem, wait_until

_PROGRAM = "embedded.faulty_wire"
_START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Call:
    """Calls of one kind: who made them, to what, and what was done to them ("" if nothing)."""

    caller: str
    service: str
    operation: str
    fault: str


@dataclass(frozen=True, slots=True)
class Wire:
    """A running proxy."""

    endpoint_url: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that lead the application's calls over it."""
        return {f"AWS_ENDPOINT_URL_{service}": self.endpoint_url for service in ("DYNAMODB", "S3", "SQS")}

    def disturb(self, rules: Sequence[Rule]) -> None:
        """Do this to calls from now on, and nothing else."""
        self._ask("POST", "/_microburst/rules", rules)

    def mend(self) -> None:
        """Let every call pass from now on."""
        self.disturb([])

    def calls(self) -> Counter[Call]:
        """What has gone over it."""
        return Counter({Call(*call): count for *call, count in self._ask("GET", "/_wire/calls")})

    def forget(self) -> None:
        """Count from nothing."""
        self._ask("DELETE", "/_wire/calls")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        answer = urllib3.request(method, self.endpoint_url + path, body=content, retries=False, timeout=60)
        if answer.status != HTTPStatus.OK:
            raise Problem(f"The faulty wire answered {answer.status}: {answer.data!r}", "")
        return answer.json()


@contextmanager
def faulty_wire(upstream: str) -> Iterator[Wire]:
    """Yield a wire to an emulator that lets every call pass until it is told otherwise."""
    port = free_port()
    process = subprocess.Popen(
        [*emulator_program(_PROGRAM), upstream, str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wire = Wire(f"http://{LOOPBACK}:{port}")
        if not wait_until(lambda: process.poll() is not None or _answers(wire), _START_SECONDS) or process.poll():
            raise Problem(
                "The faulty wire did not start.",
                f"Start {_PROGRAM} by hand to see why.",
            )
        yield wire
    finally:
        process.terminate()
        process.wait()


def _answers(wire: Wire) -> bool:
    try:
        wire.calls()
    except urllib3.exceptions.HTTPError:
        return False
    return True
