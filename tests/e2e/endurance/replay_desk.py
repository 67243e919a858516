"""Investigators of a long run: replays asked for, followed, cancelled and redriven, and questions in between."""

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import urllib3

from chalicelib.events.event import Event
from embedded.client import Api
from tests.e2e.endurance.ledger import Kind, Ledger
from tests.e2e.endurance.producers import DAYS, FIRST_DAY, type_of

LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
REPLAYS_AN_EPOCH = 3
STUCK_S = 45.0
REDRIVE_EVERY_S = 8.0
LOOK_S = 0.7

JSON = {"Content-Type": "application/json"}
Job = dict[str, Any]


@dataclass
class Errand:
    """One replay that is wanted, and how far it is."""

    name: str
    kind: Kind
    expected: Sequence[Event]
    cancel_after: float | None = None
    replay_id: str | None = None
    job: Job = field(default_factory=dict)
    asked_at: float = 0.0
    moved_at: float = field(default_factory=time.monotonic)
    redriven_at: float = 0.0
    redrives: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing more is to come of it."""
        state = self.job.get("state")
        return state == "CANCELLED" or (state == "COMPLETE" and self.job["failed"] == 0)

    @property
    def body(self) -> bytes:
        """What is asked for."""
        selection = {"source": self.kind[0], "event_type": self.kind[1]}
        return json.dumps({**selection, "start_day": str(FIRST_DAY), "end_day": str(LAST_DAY)}).encode()


@dataclass
class Desk:
    """All replays of a run; one thread works at it."""

    api: Api
    ledger: Ledger
    epochs_closed: Callable[[], int]
    rng: random.Random
    ending: threading.Event = field(default_factory=threading.Event)
    errands: list[Errand] = field(default_factory=list)
    begun: int = 0

    def run(self) -> None:
        """Work until told to end."""
        while not self.ending.wait(LOOK_S):
            for epoch in range(self.begun, self.epochs_closed()):
                self._begin(epoch)
                self.begun += 1
            for errand in self.errands:
                if not errand.done:
                    self._go_on_with(errand)
            self._ask_something()

    @property
    def open(self) -> list[Errand]:
        """What is not done yet."""
        return [errand for errand in self.errands if not errand.done]

    def want(self, name: str, kind: Kind, expected: Sequence[Event], cancel_after: float | None = None) -> None:
        """Have a replay made of all events of a kind to which none are added any more."""
        self.errands.append(Errand(name, kind, expected, cancel_after))

    def _begin(self, epoch: int) -> None:
        kinds = self.ledger.of_type(type_of(epoch))
        chosen = self.rng.sample(sorted(kinds), min(len(kinds), REPLAYS_AN_EPOCH))
        for number, kind in enumerate(chosen):
            cancel_after = self.rng.choice((0.0, 0.5, 1.0)) if number == 1 else None
            self.want(f"{kind[0]} {kind[1]}", kind, kinds[kind], cancel_after)

    def _go_on_with(self, errand: Errand) -> None:
        if errand.replay_id is None:
            headers = {**JSON, "Idempotency-Key": errand.name.replace(" ", "/")}
            answer = self._call("POST", "/replay", HTTPStatus.ACCEPTED, body=errand.body, headers=headers)
            errand.replay_id = answer["replay_id"] if answer else None
            errand.asked_at = time.monotonic()
            if errand.replay_id is None or errand.cancel_after != 0:
                return
        path = f"/replay/{errand.replay_id}"
        job = self._call("GET", path, HTTPStatus.OK)
        now = time.monotonic()
        if job and job != errand.job:
            errand.job, errand.moved_at = job, now
        if errand.cancel_after is not None and now > errand.asked_at + errand.cancel_after:
            if self._call("POST", f"{path}/cancel", HTTPStatus.OK, HTTPStatus.CONFLICT, headers=JSON):
                errand.cancel_after = None
        elif self._wants_help(errand, now):
            errand.redriven_at = now
            errand.redrives += bool(self._call("POST", f"{path}/redrive", HTTPStatus.ACCEPTED, headers=JSON))

    def _wants_help(self, errand: Errand, now: float) -> bool:
        if errand.done or now < errand.redriven_at + REDRIVE_EVERY_S:
            return False
        given_up = errand.job.get("failed", 0) > 0 or errand.job.get("state") == "FAILED"
        return given_up or now > errand.moved_at + STUCK_S

    def _ask_something(self) -> None:
        """One question of those that investigators ask."""
        with self.ledger.lock:
            event = self.rng.choice(self.ledger.recent) if self.ledger.recent else None
        if event is None:
            return
        kind = {"source": event.source, "event_type": event.event_type}
        day = {"day": str(FIRST_DAY)}
        path, query = self.rng.choice(
            [
                (f"/events/{event.event_id}", {}),
                (f"/events/{event.event_id}/raw", {}),
                ("/events", {"entity_id": event.entity_id}),
                ("/events", {**kind, **day}),
                ("/aggregates", {"entity_id": event.entity_id, **day}),
                ("/replay", {"limit": "5"}),
                ("/freshness", kind),
            ]
        )
        self._call("GET", path, HTTPStatus.OK, query=query)

    def _call(self, method: str, path: str, *wanted: HTTPStatus, **details: Any) -> Job | None:
        """The answer, if it is one that is wanted; what is not answered is to be asked again."""
        shown = f"{method} /{path.split('/')[1]}{'/' + path.split('/')[3] if path.count('/') > 2 else ''}"
        try:
            answer = self.api.call(method, path, **details)
        except urllib3.exceptions.HTTPError as error:
            self.ledger.violates(f"{shown} got no answer: {error!r}")
            return None
        with self.ledger.lock:
            self.ledger.statuses[f"{shown} {answer.status}"] += 1
        if answer.status in wanted:
            body: Job = answer.json()
            return body
        self.ledger.expect_try_again(f"{method} {path}", answer)
        return None
