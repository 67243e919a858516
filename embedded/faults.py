"""What can happen to a call on its way to AWS and back, as rules of the faulty wire."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

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
