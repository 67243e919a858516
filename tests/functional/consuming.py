"""The application on a port of its own, and consumers of its destinations, whose calls to AWS go over a wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from retrace import Consumer
from tests.functional import clients
from tests.functional.application import JSON, Application
from tests.functional.emulators import Emulator
from tests.functional.wire import Wire
from tests.http_servers import Handler, served

Fate = Callable[[], str]
"""What becomes of the next report: answered, lost (it is recorded, and its answer lost), cut, or a status."""

PATIENCE_S = 60.0
"""How long tests wait for threads, before they fail."""


@dataclass
class Door:
    """The application behind HTTP: one request at a time, as moto takes one call at a time."""

    application: Application
    lock: Lock = field(default_factory=Lock)
    fate: Fate = lambda: "answered"
    url: str = ""
    reports: list[dict[str, Any]] = field(default_factory=list)
    """Each outcome that was recorded, with its replay_id."""
    sizes: list[int] = field(default_factory=list)
    """How many outcomes each recorded report had."""

    def answer(self, path: str, body: bytes) -> tuple[int, bytes] | None:
        """A status and a body; None breaks the connection."""
        with self.lock:
            fate = self.fate()
            if fate == "cut":
                return None
            if fate not in ("answered", "lost"):
                return int(fate), b'{"message": "no"}'
            response = self.application.call("POST", path.removeprefix("/api"), {"content-type": JSON}, body)
            if response.status_code == 200:
                outcomes = json.loads(body)["outcomes"]
                self.sizes.append(len(outcomes))
                self.reports += [{"replay_id": path.split("/")[-2], **each} for each in outcomes]
            return None if fate == "lost" else (response.status_code, response.body)


@contextmanager
def opened(application: Application) -> Iterator[Door]:
    """Serve the application."""
    door = Door(application)

    class DoorHandler(Handler):
        def do_POST(self) -> None:  # noqa: N802  # the server calls it so
            body = self.whole_body()
            answered = None if body is None else door.answer(self.path, body)
            if answered is None:
                self.close_connection = True
            else:
                self.answer(*answered)

    with served(DoorHandler) as port:
        door.url = f"http://127.0.0.1:{port}/api"
        yield door


@dataclass
class Consuming:
    """A stage whose destinations report, and what their consumers do."""

    door: Door
    emulator: Emulator

    def consumer(self, destination: str = "billing", **options: Any) -> tuple[Consumer, Wire]:
        """A consumer that ends when its queue has nothing to hand out, and its calls."""
        quick: Mapping[str, Any] = {"wait_s": 0, "stop_when_empty": True, "report_age_s": 0.0, "max_pause_s": 0.01}
        made = Consumer(destination, url=self.door.url, **{**quick, **options})
        wire = Wire(self._delivered)
        for client in (made.sqs, made.s3):
            wire.attach(client)
        return made, wire

    def _delivered(self, event_name: str, request: Any) -> Any:
        with self.door.lock:
            return self.emulator.deliver(event_name, request)

    def gives_up_after(self, attempts: int, destination: str = "billing") -> str:
        """Let a destination have dead letters after so many deliveries; answers the URL of their queue."""
        fifo = destination == "ordered"
        suffix = ".fifo" if fifo else ""
        attributes: Any = {"FifoQueue": "true"} if fifo else {}
        dead = clients.sqs().create_queue(QueueName=f"dead-letters-of-{destination}{suffix}", Attributes=attributes)
        arn = f"arn:aws:sqs:eu-west-1:123456789012:dead-letters-of-{destination}{suffix}"
        policy: Any = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": attempts})}
        queue = {"billing": self.door.application.billing, "ordered": self.door.application.ordered}[destination]
        clients.sqs().set_queue_attributes(QueueUrl=queue.url, Attributes=policy)
        return dead["QueueUrl"]
