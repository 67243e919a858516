"""What producers have sent and what they were answered: the other side of the books of a long run."""

import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

from urllib3 import BaseHTTPResponse

from chalicelib.events.event import Event
from chalicelib.ingest.request import Submission, parse_request

RECENT = 2_000
"""So many events are known well enough to be sent again, or in conflict with themselves."""

UNANSWERED = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""What the emulator's gateway answers for a function that was killed. On AWS the deployed API turns it into a 503."""

SETTLED = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT})

Kind = tuple[str, str]
"""Source and type."""


@dataclass(frozen=True)
class Request:
    """A request to POST /ingest, as often as it may be sent."""

    body: bytes
    headers: Mapping[str, str]

    @cached_property
    def submissions(self) -> Sequence[Submission]:
        """What it holds, in order."""
        return parse_request(self.body, self.headers["Content-Type"], self.headers.get("Content-Encoding")).submissions


@dataclass
class Known:
    """All that was sent under one identity, and what was answered."""

    contents: dict[str, Event] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)

    @property
    def event(self) -> Event:
        """The event that was acknowledged; where none was, or more than one, the first that was sent."""
        sent = [self.contents[content] for content in self.acknowledged] or list(self.contents.values())
        return sent[0]


@dataclass
class Ledger:
    """The books. Threads may share them."""

    known: dict[str, Known] = field(default_factory=lambda: defaultdict(Known))
    rejected: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=RECENT))
    left: list[Request] = field(default_factory=list)
    submissions: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sends(self, request: Request) -> None:
        """A request is about to be sent: from now on its events may be found in storage."""
        with self.lock:
            self.submissions += len(request.submissions)
            for event in request.submissions:
                if isinstance(event, Event):
                    self.known[event.event_id].contents[event.content_sha256] = event

    def answered(self, request: Request, answer: BaseHTTPResponse) -> bool:
        """Take an answer down; whether it settles the request."""
        with self.lock:
            self.statuses[f"POST /ingest {answer.status}"] += 1
            if answer.status in SETTLED:
                body = answer.json()
                for submission, result in zip(request.submissions, body.get("results", [body]), strict=True):
                    self._settled(submission, result)
                return True
        self.expect_try_again("POST /ingest", answer)
        return False

    def expect_try_again(self, call: str, answer: BaseHTTPResponse) -> None:
        """Whatever is not answered must be a 503 that says when to come again."""
        problem = answer.headers.get("Content-Type") == "application/problem+json"
        again = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and problem and "Retry-After" in answer.headers
        if not again and answer.status not in UNANSWERED:
            self.violates(f"{call} was answered {answer.status}: {answer.data[:300]!r}")

    def violates(self, what: str) -> None:
        """Something that must not be."""
        with self.lock:
            self.violations.append(what)

    @property
    def repeats(self) -> int:
        """How many sends were answered as later ones of an event that was known."""
        return sum(known.answers["DUPLICATE"] + known.answers["CONFLICT"] for known in self.known.values())

    def unanswered(self, *calls: str) -> int:
        """How many requests of certain calls (all, if none are named) got no answer of a function."""
        return sum(
            count
            for told, count in self.statuses.items()
            if int(told.rpartition(" ")[2]) in UNANSWERED and (not calls or told.startswith(calls))
        )

    def of_type(self, event_type: str) -> Mapping[Kind, Sequence[Event]]:
        """The events of a type that were acknowledged, by kind."""
        found: dict[Kind, list[Event]] = defaultdict(list)
        with self.lock:
            for known in self.known.values():
                if known.event.event_type == event_type:
                    found[known.event.source, event_type].append(known.event)
        return found

    def _settled(self, submission: Submission, result: Mapping[str, Any]) -> None:
        status = result["status"]
        if result.get("rejected_id"):
            self.rejected.add(result["rejected_id"])
        if not isinstance(submission, Event):
            if status != "REJECTED":
                self.violations.append(f"what is not valid was answered {result}")
            return
        known = self.known[submission.event_id]
        known.answers[status] += 1
        if status in {"ACCEPTED", "DUPLICATE"}:
            if not known.acknowledged:
                self.recent.append(submission)
            known.acknowledged.add(submission.content_sha256)
            if result["content_sha256"] != submission.content_sha256:
                self.violations.append(f"{submission.event_id} was acknowledged with other content: {result}")
        elif status != "CONFLICT":
            self.violations.append(f"a valid event was answered {json.dumps(result)}")
        elif known.acknowledged == {submission.content_sha256} or len(known.contents) == 1:
            self.violations.append(f"{submission.event_id} was told to be in conflict with itself")
