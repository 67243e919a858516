"""Delivers chunks through a road that loses answers and refuses requests, as a shipper would, without its waits."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from tests.shippers.models import Answer, Shipper, Verdict

Post = Callable[[bytes], Answer]
Road = Callable[[bytes], Answer | None]
SERVICE_UNAVAILABLE = Answer(503)
ENDLESS = 40
"""With a third of all answers lost, the chance that a chunk needs so many retries is below 10^-17."""


@dataclass
class FaultyRoad:
    """Passes chunks on; refuses some before they arrive, and loses some answers."""

    post: Post
    random: Random
    refused: float = 0.05
    lost: float = 0.30
    faults: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    """What Retrace itself answered and the shipper got."""

    def __call__(self, chunk: bytes) -> Answer | None:
        """The answer to a chunk, or None if none came."""
        if self.random.random() < self.refused:
            self.faults["503"] += 1
            return SERVICE_UNAVAILABLE
        answer = self.post(chunk)
        if self.random.random() < self.lost:
            self.faults["lost"] += 1
            return None
        self.answers[answer.status] += 1
        return answer


@dataclass
class Account:
    """What became of the chunks of a shipper."""

    chunks: int = 0
    attempts: int = 0
    dropped: list[bytes] = field(default_factory=list)
    endless: list[bytes] = field(default_factory=list)
    """Sent so often that faults alone do not explain it."""


def deliver(shipper: Shipper, chunks: Iterable[bytes], road: Road) -> Account:
    """Send each chunk until the shipper is done with it; one that it sends again goes behind those that wait."""
    waiting = deque((chunk, 0) for chunk in chunks)
    account = Account(chunks=len(waiting))
    while waiting:
        chunk, retries = waiting.popleft()
        account.attempts += 1
        verdict = shipper.verdict(road(chunk))
        spent = shipper.retry_limit is not None and retries >= shipper.retry_limit
        if verdict is Verdict.RETRIES and retries == ENDLESS:
            account.endless.append(chunk)
        elif verdict is Verdict.RETRIES and not spent:
            waiting.append((chunk, retries + 1))
        elif verdict is not Verdict.DONE:
            account.dropped.append(chunk)
    return account
