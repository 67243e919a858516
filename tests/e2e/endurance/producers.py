"""Producers of a long run: singles, batches, gzip and CloudEvents, sent again, sent twice at once, and in conflict."""

import gzip
import json
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import urllib3

from chalicelib.events.event import Form
from embedded.client import Api
from tests.e2e.endurance.ledger import Ledger, Request

FIRST_DAY = date(2026, 3, 1)
DAYS = 3
ENTITIES = 25
"""Of each type; the emulator goes through a whole partition for each query, so none may become large."""

LEFT_TYPE = "left"
"""Of events that are not sent again until the end, if they were not acknowledged."""

PAUSE_S = 0.5
NOT_EVENTS = (b'{"source": "weather/broken"}', b"no JSON at all", b"[]", b'{"event_type": 7}')

Epoch = Callable[[], int]


def type_of(epoch: int) -> str:
    """The type of the events that are new in an epoch."""
    return f"weather.{epoch}"


@dataclass
class Producer:
    """One producer, which waits for each answer and sends again what was not acknowledged."""

    number: int
    api: Api
    ledger: Ledger
    epoch_now: Epoch
    ending: threading.Event
    given_up: threading.Event
    rng: random.Random
    epoch: int = 0
    made: int = 0
    requests: int = 0
    jitter: random.Random = field(default_factory=random.Random)
    second: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def run(self) -> None:
        """Produce until told to end."""
        while not self.ending.is_set():
            self.epoch = self.epoch_now()
            leave = self.rng.random() < 0.05
            request = self._request(LEFT_TYPE if leave else type_of(self.epoch))
            if leave:
                if not self._sent(request):
                    self.ledger.left.append(request)
            elif self.rng.random() < 0.05:
                other = self.second.submit(self.deliver, request)
                self.deliver(request)
                other.result()
            else:
                self.deliver(request)
        self.epoch = 1_000_000

    def deliver(self, request: Request) -> None:
        """Send until it is acknowledged, or the run is given up."""
        while not (self._sent(request) or self.given_up.wait(self.jitter.uniform(0, PAUSE_S))):
            continue

    def _sent(self, request: Request) -> bool:
        self.ledger.sends(request)
        self.requests += 1
        try:
            answer = self.api.call(
                "POST", "/ingest", query={"results": "all"}, body=request.body, headers=request.headers
            )
        except urllib3.exceptions.HTTPError as error:
            self.ledger.violates(f"POST /ingest got no answer: {error!r}")
            return False
        return self.ledger.answered(request, answer)

    def _request(self, event_type: str) -> Request:
        chance = self.rng.random()
        if chance < 0.30:
            return Request(self._native(event_type), {"Content-Type": Form.NATIVE})
        if chance < 0.40:
            return Request(self._cloudevent(event_type), {"Content-Type": Form.CLOUDEVENT})
        if chance < 0.50:
            events = [self._cloudevent(event_type) for _ in range(self.rng.randint(2, 12))]
            return Request(b"[%s]" % b",".join(events), {"Content-Type": "application/cloudevents-batch+json"})
        body = b"\n".join(self._lines(event_type))
        if chance < 0.75:
            return Request(body, {"Content-Type": "application/x-ndjson"})
        return Request(gzip.compress(body), {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"})

    def _lines(self, event_type: str) -> Sequence[bytes]:
        """New events, and among them some that are known, some in conflict, and some that are none."""
        lines = [self._native(event_type) for _ in range(self.rng.randint(2, 30))]
        known = [event for event in list(self.ledger.recent)[-200:] if event.form is Form.NATIVE]
        for event in self.rng.sample(known, min(len(known), self.rng.randint(0, 4))):
            lines.append(event.text.encode())
            if self.rng.random() < 0.3 and "idempotency_key" in (members := json.loads(event.text)):
                lines.append(json.dumps(members | {"payload": "other"}).encode())
        lines += self.rng.choices(NOT_EVENTS, k=self.rng.random() < 0.1)
        lines += self.rng.choices(lines, k=self.rng.random() < 0.2)
        self.rng.shuffle(lines)
        return lines

    def _native(self, event_type: str) -> bytes:
        event = {
            "source": f"weather/producer-{self.number}",
            "event_type": event_type,
            "entity_id": self._entity(event_type),
            "event_time": self._time(),
            "payload": {"number": self.made},
        }
        if self.rng.random() < 0.5:
            event["idempotency_key"] = f"{self.number}-{self.made}"
        return json.dumps(event).encode()

    def _cloudevent(self, event_type: str) -> bytes:
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"{self.number}-{self.made}",
            "source": f"weather/clouds-{self.number}",
            "type": event_type,
            "subject": self._entity(event_type),
            "time": self._time(),
            "data": {"number": self.made},
        }
        return json.dumps(event).encode()

    def _entity(self, event_type: str) -> str:
        self.made += 1
        return f"{event_type}-{self.number}-{self.rng.randrange(ENTITIES)}"

    def _time(self) -> str:
        day = FIRST_DAY + timedelta(days=self.rng.randrange(DAYS))
        return f"{day}T{self.rng.randrange(24):02d}:{self.rng.randrange(60):02d}:{self.rng.randrange(60):02d}Z"
