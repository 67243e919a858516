"""The faulty wire: what can happen to a call on its way to AWS and back, and the proxy's process that lets it happen.

It is started before an emulator, told what to do to calls, and asked what went over it.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import urllib3

from embedded.layout import LOOPBACK, emulator_program, free_port
from infra.command import Problem, wait_until

_PROGRAM = "tests.e2e.faulty_wire"
_START_SECONDS = 90.0

Rule = dict[str, Any]

SERVICES: Final = ("dynamodb", "s3", "sqs")


class Fault(StrEnum):
    """What becomes of a call, by what its caller sees."""

    THROTTLED = "throttled"
    FAILED = "failed"
    SLOW = "slow"
    TIMED_OUT = "timed out"
    RESET = "reset"
    LOST = "answer lost"


SLOW_MS: Final = 150, 700
"""Longer than any call takes, and short of the client's patience."""

TIMED_OUT_MS: Final = 8_000
"""Longer than the client waits for an answer; the call is passed on when it has given up."""

_THROTTLED: Final[Mapping[str, tuple[str, int]]] = {
    "dynamodb": ("ThrottlingException", 400),
    "s3": ("SlowDown", 503),
    "sqs": ("RequestThrottled", 403),
}
_FAILED: Final[Mapping[str, str]] = {"dynamodb": "InternalServerError", "s3": "InternalError", "sqs": "InternalFailure"}

SHARES: Final[Mapping[Fault, float]] = {
    Fault.THROTTLED: 0.30,
    Fault.FAILED: 0.20,
    Fault.RESET: 0.18,
    Fault.LOST: 0.18,
    Fault.SLOW: 0.13,
    Fault.TIMED_OUT: 0.01,
}
"""Of all faults; few time out, as each of them takes seconds."""


def rule(fault: Fault, service: str, operation: str | None = None, **more: Any) -> Rule:
    """One fault for the calls of a service, or of one operation; `more` may say `probability` or `times`."""
    matched = {"name": fault.value, "service": service} | ({} if operation is None else {"operation": operation})
    return matched | _effect(fault, service) | more


def _effect(fault: Fault, service: str) -> Rule:
    match fault:
        case Fault.THROTTLED:
            code, status = _THROTTLED[service]
            return {"error": {"code": code, "status": status}}
        case Fault.FAILED:
            return {"error": {"code": _FAILED[service], "status": 500}}
        case Fault.SLOW:
            return {"latency": {"min": SLOW_MS[0], "max": SLOW_MS[1]}}
        case Fault.TIMED_OUT:
            return {"latency": {"min": TIMED_OUT_MS, "max": TIMED_OUT_MS}}
        case Fault.RESET:
            return {"reset": True}
        case Fault.LOST:
            return {"response": {"abort_frac": 0.0}}


def foul_weather(share: float, shares: Mapping[Fault, float] = SHARES) -> Sequence[Rule]:
    """Every fault on every call: `share` of all calls are struck."""
    return [rule for service in SERVICES for rule in _on_service(service, share, shares)]


def _on_service(service: str, share: float, shares: Mapping[Fault, float]) -> Iterator[Rule]:
    """Rules that are tried one after the other, each on what those before it have let pass."""
    passed = 1.0
    for fault, part in shares.items():
        probability = share * part / sum(shares.values())
        yield rule(fault, service, probability=probability / passed)
        passed -= probability


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
    process = subprocess.Popen(  # noqa: S603  # our own module, in the emulator's environment
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
