"""A consumer that reports outcomes as badly as one may: it crashes, repeats itself, is late, and changes its mind.

After each report it holds what the answer counts against what it has told so far.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

from embedded.client import Api
from tests.e2e.destinations import Inbox, Json, Received

DONE, FAILED = "done", "failed"

_CRASHES_AT_MOST = 3
"""A message is given up after five receives."""

_MOST_OUTCOMES = 1_000


def fails_first(event_id: str) -> bool:
    """Whether it is reported as failed before it is reported as done: five in a hundred."""
    return int(event_id[:8], 16) % 20 == 1


def fails(event_id: str) -> bool:
    """Whether it stays failed: one in a hundred."""
    return int(event_id[:8], 16) % 100 == 0


@dataclass
class Told:
    """What was told of a replay's messages: `tried` by reports that went out, `known` by those that were answered."""

    tried: dict[str, set[str]] = field(default_factory=lambda: {DONE: set(), FAILED: set()})
    known: dict[str, set[str]] = field(default_factory=lambda: {DONE: set(), FAILED: set()})
    lock: Lock = field(default_factory=Lock)

    def add(self, told: dict[str, set[str]], outcomes: Iterable[Json]) -> None:
        """Remember outcomes."""
        with self.lock:
            for each in outcomes:
                told[each["outcome"]].add(each["event_id"])

    def counts(self, told: dict[str, set[str]]) -> tuple[int, int]:
        """How many of the messages are done by then, and how many are done or failed."""
        with self.lock:
            return len(told[DONE]), len(told[DONE] | told[FAILED])

    def assert_counted(self, job: Json, least: tuple[int, int]) -> None:
        """A job that was read just now counts at least what was known before, and at most what was tried."""
        done, settled = self.counts(self.tried)
        assert least[0] <= job["processed"] <= done, job
        assert least[1] <= job["processed"] + job["failed"] <= settled, job
        assert job["state"] != "COMPLETE" or job["sent"] <= settled, job


@dataclass
class BadConsumer:
    """It works a queue off and reports on one replay. Of events that are `withheld` it tells nothing."""

    inbox: Inbox
    api: Api
    strangers: Sequence[Api]
    replay_id: str
    never_sent: Sequence[str]
    withheld: Collection[str]
    rng: random.Random
    told: Told
    most_at_once: int
    late: list[Json] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, ending: Event) -> None:
        """Work until asked to end."""
        while not ending.is_set():
            received = self.inbox.receive(self.rng.randint(1, self.most_at_once))
            if received:
                self._work(received)
            if not received or len(self.late) > self.most_at_once:
                self.rng.shuffle(self.late)
                self.report_late(keep=len(self.late) // 2 if received else 0)

    def _work(self, received: Sequence[Received]) -> None:
        fate = self._fate(received)
        self.counts[fate] += len(received)
        if fate != "crashes":
            self._tell([outcome for each in received for outcome in self._outcomes(each.event_id)], fate)
        leave = self.inbox.give_back if fate in {"crashes", "reports and crashes"} else self.inbox.delete
        leave(received)

    def _fate(self, received: Sequence[Received]) -> str:
        """What becomes of the work on some messages."""
        crashes = 1 if max(each.receives for each in received) < _CRASHES_AT_MOST else 0
        weights = {
            "crashes": crashes,
            "reports and crashes": crashes,
            "reports twice": 1,
            "reports late": 2,
            "reports": 5,
        }
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def _tell(self, outcomes: Sequence[Json], fate: str) -> None:
        if fate == "reports late":
            self.late += outcomes
            return
        self.report(outcomes)
        if fate == "reports twice":
            self.report(self.rng.sample(outcomes, len(outcomes)))

    def _outcomes(self, event_id: str) -> list[Json]:
        """What is to be told of a message now. Of some it is told later that they are done after all."""
        if event_id in self.withheld:
            return []
        if fails(event_id):
            return [{"event_id": event_id, "outcome": FAILED, "reason": "no such account"}]
        done = {"event_id": event_id, "outcome": DONE}
        if fails_first(event_id) and event_id not in self.told.tried[FAILED]:
            self.late.append(done)
            return [{"event_id": event_id, "outcome": FAILED}]
        return [done]

    def report_late(self, keep: int = 0) -> None:
        """Report what is late, but for so many outcomes."""
        late, self.late = self.late[keep:], self.late[:keep]
        self.report(late)

    def report(self, outcomes: Sequence[Json]) -> None:
        """Report, at times of events that were never sent as well, and at times as a stranger, who is refused."""
        for start in range(0, len(outcomes), _MOST_OUTCOMES // 2):
            self._report(outcomes[start : start + _MOST_OUTCOMES // 2])

    def _report(self, outcomes: Sequence[Json]) -> None:
        unknown = self.rng.sample(self.never_sent, 2) if self.rng.random() < 0.2 else []
        strange = [{"event_id": each, "outcome": DONE} for each in unknown]
        if self.rng.random() < 0.1:
            refused = self._post(self.rng.choice(self.strangers), outcomes)
            assert refused.status == 403, refused.data
            self.counts["refused"] += 1
        least = self.told.counts(self.told.known)
        self.told.add(self.told.tried, outcomes)
        answer = self._answered([*outcomes, *strange])
        self.told.assert_counted(answer, least)
        assert [each["event_id"] for each in answer["never_sent"]] == unknown
        assert answer["recorded"] == len({each["event_id"] for each in outcomes})
        self.told.add(self.told.known, outcomes)
        self.counts["calls"] += 1
        self.counts["never sent"] += len(unknown)

    def _answered(self, outcomes: Sequence[Json]) -> Json:
        """The answer to a report, which is sent again for as long as it is asked to."""
        while (answer := self._post(self.api, outcomes)).status == 503:
            self.counts["sent again"] += 1
        assert answer.status == 200, answer.data
        answered: Json = answer.json()
        return answered

    def _post(self, api: Api, outcomes: Sequence[Json]) -> Any:
        body, headers = json.dumps({"outcomes": outcomes}).encode(), {"Content-Type": "application/json"}
        return api.call("POST", f"/replay/{self.replay_id}/outcomes", headers=headers, body=body)
