"""Reports outcomes in batches, and deletes a message only once its report is taken: a crash between repeats both."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3

from chalicelib.core.pagination import chunked
from chalicelib.processing.reported import MAX_OUTCOMES
from retrace.answer import Answer
from retrace.client import WORTH_SENDING_AGAIN, Client, jittered
from retrace.consumer.holding import Holding
from retrace.consumer.message import ConsumerError
from retrace.consumer.queue import Held, Queue
from retrace.problem import Problem

log = logging.getLogger("retrace.consumer")

MAX_REASON_BYTES = 1_024

_REPEATED = WORTH_SENDING_AGAIN | {HTTPStatus.INTERNAL_SERVER_ERROR}
"""A report may always be repeated, so it is, whatever went wrong in between."""

_UNKNOWN = (
    "The API at %s does not know replay %s: %s Its messages are neither deleted nor handed over: they end in the dead"
    " letters. Check that `url` or RETRACE_URL is the API of the stage that sent them."
)

_LONGEST_WAIT_S = 60.0
"""For a Retry-After. Longer ones are taken for this."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: it is done, or failed for the last time, for a reason."""

    held: Held
    reason: str | None = None

    @property
    def replay_id(self) -> str:
        """The replay of the message; empty for one that cannot be read, which is not reported."""
        return "" if self.held.sent is None else self.held.sent.replay_id

    @property
    def members(self) -> dict[str, Any]:
        """As a report has it."""
        sent = self.held.sent
        assert sent is not None  # noqa: S101  # a message that cannot be read is never reported
        found: dict[str, Any] = {"event_id": sent.event_id}
        if sent.duplicate is not None:
            found["duplicate"] = sent.duplicate.model_dump()
        if self.reason is None:
            return found | {"outcome": "done"}
        return found | {"outcome": "failed", "reason": _shortened(self.reason)}


def _shortened(reason: str) -> str:
    return reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore") or "It has no text."


class Reporter:
    """Outcomes on their way. Threads share it."""

    def __init__(self, queue: Queue, holding: Holding, client: Client | None, age_s: float, max_pause_s: float) -> None:
        self._queue = queue
        self._holding = holding
        self._client = client
        self._age_s = age_s
        self._max_pause_s = max_pause_s
        self._changed = threading.Condition()
        self._outcomes: list[Outcome] = []
        self._since = 0.0
        self._is_asked = False
        self._closed = False
        self._gave_up = threading.Event()
        self._takes_none: set[str] = set()
        self._unknown: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        """Take an outcome. Its message is held until it is reported."""
        with self._changed:
            self._since = self._since if self._outcomes else time.monotonic()
            self._outcomes.append(outcome)
            self._changed.notify_all()

    def report_at_once(self, outcomes: Sequence[Outcome], stopped: threading.Event) -> None:
        """Report outcomes before anything else happens to their messages.

        If this is stopped, the first report that fails is the last one: an API that is down would let a stop wait for
        the timeout of each replay. What is not reported can be redriven.
        """
        for some in _by_replay(outcomes):
            attempt = 1
            while (pause_s := self._attempt(some, attempt)) is not None:
                if stopped.wait(pause_s):
                    return
                attempt += 1

    def knows(self, replay_id: str) -> bool:
        """Whether the API has not said that there is no such replay."""
        return replay_id not in self._unknown

    def flush(self) -> None:
        """Report what there is now."""
        with self._changed:
            self._is_asked = True
            self._changed.notify_all()

    def wait_for_room(self) -> bool:
        """Wait while too many outcomes are not reported; False once this is closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._outcomes) < MAX_OUTCOMES or self._closed)
            return not self._closed

    @property
    def empty(self) -> bool:
        """Whether each outcome is reported, and its message deleted."""
        with self._changed:
            return not self._outcomes

    def run(self) -> None:
        """Report until this is closed and nothing is left; raises ConsumerError if a report is refused."""
        attempt = 1
        while outcomes := self._due_outcomes():
            pauses = [pause_s for some in _by_replay(outcomes) if (pause_s := self._report(some, attempt)) is not None]
            attempt = attempt + 1 if pauses else 1
            self._gave_up.wait(max(pauses, default=0.0))

    def close(self, timeout_s: float, thread: threading.Thread) -> list[Held]:
        """Report what is left for at most so long; returns the messages that could not be reported."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        thread.join(timeout_s)
        self._gave_up.set()
        with self._changed:
            return [each.held for each in self._outcomes]

    def _due_outcomes(self) -> list[Outcome]:
        """Wait until outcomes are due; none once this is closed and has none left, or gave up."""
        with self._changed:
            while not (self._is_due() or (self._closed and not self._outcomes)):
                self._changed.wait(self._since + self._age_s - time.monotonic() if self._outcomes else None)
            self._is_asked = False
            return [] if self._gave_up.is_set() else list(self._outcomes)

    def _is_due(self) -> bool:
        late = time.monotonic() >= self._since + self._age_s
        return bool(self._outcomes) and (self._closed or self._is_asked or late or len(self._outcomes) >= MAX_OUTCOMES)

    def _report(self, some: Sequence[Outcome], attempt: int) -> float | None:
        """Report outcomes of one replay, then end their messages; returns how long to wait if some are left."""
        pause_s = self._attempt(some, attempt)
        if pause_s is not None:
            return pause_s
        done = [each.held for each in some if each.reason is None and self.knows(each.replay_id)]
        left = set(self._queue.delete(done))
        ended = {each for each in some if each.held not in left}
        self._holding.discard(each.held for each in ended)
        self._queue.make_visible([each.held for each in some if each.reason is not None], 0)  # to the dead letters
        with self._changed:
            self._outcomes = [each for each in self._outcomes if each not in ended]
            self._since = time.monotonic()
            self._changed.notify_all()
        return self._pause_s(attempt, 0.0) if left else None

    def _attempt(self, some: Sequence[Outcome], attempt: int) -> float | None:
        """Report outcomes of one replay, once; returns how long to wait before the next attempt, None if it is taken.

        Raises ConsumerError if the report is refused.
        """
        replay_id = some[0].replay_id
        if self._client is None or not replay_id or replay_id in self._takes_none | self._unknown:
            return None
        body = json.dumps({"outcomes": [each.members for each in some]}).encode()
        path, after_s = f"/replay/{replay_id}/outcomes", 0.0
        try:
            answer = self._client.once("POST", path, body=body, headers={"Content-Type": "application/json"})
        except (urllib3.exceptions.HTTPError, Problem) as error:
            why = f"{error} {getattr(error, 'remedy', '')}"
        else:
            if self._is_taken(replay_id, answer) or self._is_unknown(replay_id, answer):
                return None
            if answer.status not in _REPEATED:
                problem = self._client.problem_of(f"POST {path}", answer)
                raise ConsumerError(f"{problem} {problem.remedy}")
            why, after_s = f"{answer.status} {answer.body[:200].decode(errors='replace')}", answer.retry_after_s
        log.warning("Attempt %d to report %d outcomes of replay %s failed: %s", attempt, len(some), replay_id, why)
        return self._pause_s(attempt, after_s)

    def _is_taken(self, replay_id: str, answer: Answer) -> bool:
        """Whether the outcomes are recorded, or need not be, as the replay takes none."""
        if answer.status == HTTPStatus.CONFLICT and answer.has("detail"):
            self._takes_none.add(replay_id)
            log.warning("The messages are deleted and not reported: %s", answer.json["detail"])
            return True
        if answer.status != HTTPStatus.OK or not answer.has("recorded"):
            return False
        if strangers := answer.json["never_sent"]:
            log.warning("Replay %s never sent %d of the messages, such as %s", replay_id, len(strangers), strangers[0])
        return True

    def _is_unknown(self, replay_id: str, answer: Answer) -> bool:
        """Whether there is no such replay. A 404 of another server than Retrace says nothing about that."""
        if self._client is None or answer.status != HTTPStatus.NOT_FOUND or not answer.has("detail"):
            return False
        self._unknown.add(replay_id)
        log.error(_UNKNOWN, self._client.target.url, replay_id, answer.json["detail"])
        return True

    def _pause_s(self, attempt: int, after_s: float) -> float:
        return min(after_s, _LONGEST_WAIT_S) + jittered(attempt, self._max_pause_s)


def _by_replay(outcomes: Sequence[Outcome]) -> list[Sequence[Outcome]]:
    """Outcomes in groups of one replay that fit into a report, each in the order that they came."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        groups[each.replay_id].append(each)
    return [some for group in groups.values() for some in chunked(group, MAX_OUTCOMES)]
