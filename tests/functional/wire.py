"""The wire between the application and AWS: it counts calls, and can be cut or disturbed at any of them.

An effect decides what becomes of one attempt at a call: whether it is delivered, and what the application hears of it.
"Attempt" is meant literally: the SDK's own retries are attempts of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.core.models import botocore_stubber

from tests.conftest import SETTINGS
from tests.functional import clients

ALWAYS = 1_000_000

_WIRE = "wire"

Deliver = Callable[[str, AWSPreparedRequest], AWSResponse]
"""What does in place of AWS what a request says."""


class Killed(BaseException):
    """The function's process ends in the middle of what it was doing, as when its time is over. Nobody can catch it."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at an AWS call, on its way there."""

    event_name: str
    request: AWSPreparedRequest
    deliver: Deliver

    @property
    def operation(self) -> str:
        """Such as PutObject."""
        return self.event_name.rpartition(".")[2]

    @property
    def members(self) -> Any:
        """What the request says, for the services that speak JSON."""
        body: Any = self.request.body
        return json.loads(body)

    def delivered(self) -> AWSResponse:
        """AWS's answer, after AWS did what it was asked for."""
        answer = self.deliver(self.event_name, self.request)
        if self.operation == "ReceiveMessage":
            messages = json.loads(answer.content).get("Messages", [])
            clients.received.extend(message["ReceiptHandle"] for message in messages)
        return answer

    def answered(self, status: int, body: bytes) -> AWSResponse:
        """An answer that AWS might give."""
        raw: Any = _Body(body)
        return AWSResponse(self.request.url, status, HTTPHeaders(), raw)


Effect = Callable[[Attempt], AWSResponse]


class _Body(BytesIO):
    """A response's body as botocore reads it from a connection."""

    def stream(self) -> list[bytes]:
        return [self.read()]


@dataclass
class _Disturbance:
    """An effect on the attempts at one operation (or at any), after so many of them, so many times."""

    effect: Effect
    operation: str | None
    skip: int
    times: int

    def strikes(self, attempt: Attempt) -> bool:
        if self.operation not in (None, attempt.operation):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Wire:
    """What every AWS call of the application goes over."""

    deliver: Deliver
    calls: list[str] = field(default_factory=list)
    disturbed: bool = False
    _disturbances: list[_Disturbance] = field(default_factory=list)
    _choosing: Lock = field(default_factory=Lock)

    def attach(self, client: BaseClient) -> None:
        """Lead the calls of a client over this wire, and no longer over another."""
        emulator: Any = botocore_stubber  # the stubs know no handlers that answer
        ours: Any = self._send
        client.meta.events.unregister("before-send", emulator)
        client.meta.events.unregister("before-send", unique_id=_WIRE)
        client.meta.events.register("before-send", ours, unique_id=_WIRE)

    def disturb(self, effect: Effect, operation: str | None = None, *, skip: int = 0, times: int = 1) -> None:
        """Let an effect strike the attempts at an operation (or any), from the one after `skip` on, `times` times."""
        self._disturbances.append(_Disturbance(effect, operation, skip, times))

    def mend(self) -> None:
        """Deliver everything again, and count from nothing."""
        self._disturbances.clear()
        self.calls.clear()

    def count(self) -> Mapping[str, int]:
        """How many attempts there were at each operation."""
        return Counter(self.calls)

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        attempt = Attempt(event_name, request, self.deliver)
        self.calls.append(attempt.operation)
        return self._effect(attempt)(attempt)

    def _effect(self, attempt: Attempt) -> Effect:
        with self._choosing:
            striking = (each.effect for each in self._disturbances if each.strikes(attempt))
            effect = next(striking, Attempt.delivered)
            self.disturbed |= effect is not Attempt.delivered
            return effect


def never_arrives(attempt: Attempt) -> AWSResponse:
    """No connection: AWS does nothing."""
    raise EndpointConnectionError(endpoint_url=attempt.request.url)


def answer_lost(attempt: Attempt) -> AWSResponse:
    """AWS does what it was asked for, and its answer never comes."""
    attempt.delivered()
    raise ReadTimeoutError(endpoint_url=attempt.request.url)


def killed_before(attempt: Attempt) -> AWSResponse:
    """The function ends just before the call."""
    raise Killed(attempt.operation)


def killed_after(attempt: Attempt) -> AWSResponse:
    """The function ends just after the call."""
    attempt.delivered()
    raise Killed(attempt.operation)


def fails_with(status: int, code: str, **members: Any) -> Effect:
    """AWS does nothing and answers an error."""

    def effect(attempt: Attempt) -> AWSResponse:
        if ".s3." in attempt.event_name:
            return attempt.answered(status, f"<Error><Code>{code}</Code></Error>".encode())
        return attempt.answered(status, json.dumps({"__type": f"com.amazonaws#{code}", **members}).encode())

    return effect


def throttled(attempt: Attempt) -> AWSResponse:
    """AWS does nothing, as there are too many calls."""
    if ".s3." in attempt.event_name:
        return fails_with(503, "SlowDown")(attempt)
    return fails_with(400, "ThrottlingException")(attempt)


def broken(attempt: Attempt) -> AWSResponse:
    """AWS does nothing and answers that it failed."""
    return fails_with(500, "InternalError")(attempt)


def preceded_by(action: Callable[[], Any]) -> Effect:
    """Something else happens just before AWS gets the call."""

    def effect(attempt: Attempt) -> AWSResponse:
        action()
        return attempt.delivered()

    return effect


def conflicting(attempt: Attempt) -> AWSResponse:
    """A transaction is cancelled because another one holds one of its items."""
    return cancelled("TransactionConflict")(attempt)


def cancelled(code: str) -> Effect:
    """A transaction is cancelled for a reason that lies in its first action."""

    def effect(attempt: Attempt) -> AWSResponse:
        others = len(attempt.members["TransactItems"]) - 1
        reasons = [{"Code": code}, *({"Code": "None"} for _ in range(others))]
        return fails_with(400, "TransactionCanceledException", CancellationReasons=reasons)(attempt)

    return effect


def none_found(attempt: Attempt) -> AWSResponse:
    """A BatchGetItem finds nothing, as a read that is not consistent may not find what was just written."""
    [table] = attempt.members["RequestItems"]
    return attempt.answered(200, json.dumps({"Responses": {table: []}, "UnprocessedKeys": {}}).encode())


def none_read(attempt: Attempt) -> AWSResponse:
    """A BatchGetItem reads nothing this time."""
    unread = {"Responses": {}, "UnprocessedKeys": attempt.members["RequestItems"]}
    return attempt.answered(200, json.dumps(unread).encode())


def one_left_unread(attempt: Attempt) -> AWSResponse:
    """A BatchGetItem reads all but the first of its keys."""
    [(table, asked)] = attempt.members["RequestItems"].items()
    left, *taken = asked["Keys"]
    answer: dict[str, Any] = {"Responses": {table: []}}
    if taken:
        answer = json.loads(
            _with_members(attempt, {"RequestItems": {table: {**asked, "Keys": taken}}}).delivered().content
        )
    return attempt.answered(200, json.dumps({**answer, "UnprocessedKeys": {table: {**asked, "Keys": [left]}}}).encode())


def none_written(attempt: Attempt) -> AWSResponse:
    """A BatchWriteItem writes nothing this time."""
    return attempt.answered(200, json.dumps({"UnprocessedItems": attempt.members["RequestItems"]}).encode())


def one_left_unwritten(attempt: Attempt) -> AWSResponse:
    """A BatchWriteItem writes all but the first of its items."""
    [(table, asked)] = attempt.members["RequestItems"].items()
    left, *taken = asked
    if taken:
        _with_members(attempt, {"RequestItems": {table: taken}}).delivered()
    return attempt.answered(200, json.dumps({"UnprocessedItems": {table: [left]}}).encode())


def one_row_a_page(attempt: Attempt) -> AWSResponse:
    """A Query's page ends long before its limit, as one does after a megabyte of rows."""
    return _with_members(attempt, {**attempt.members, "Limit": 1}).delivered()


def one_left_unsent(attempt: Attempt) -> AWSResponse:
    """A SendMessageBatch refuses the first of its messages, although it could take it the next time."""
    entries: Sequence[Mapping[str, Any]] = attempt.members["Entries"]
    first, *others = entries
    refused = {"Id": first["Id"], "SenderFault": False, "Code": "InternalError"}
    if not others:
        return attempt.answered(200, json.dumps({"Successful": [], "Failed": [refused]}).encode())
    answer = json.loads(_with_members(attempt, {**attempt.members, "Entries": others}).delivered().content)
    return attempt.answered(200, json.dumps({**answer, "Failed": [refused]}).encode())


def not_kept_back(attempt: Attempt) -> AWSResponse:
    """A SendMessage shows its message at once, whatever delay it asks for."""
    return _with_members(attempt, {**attempt.members, "DelaySeconds": 0}).delivered()


def _with_members(attempt: Attempt, members: Mapping[str, Any]) -> Attempt:
    """The attempt with another body, signed again."""
    given, body = attempt.request, json.dumps(members).encode()
    of_json = ("Content-Type", "X-Amz-Target", "x-amzn-query-mode")
    kept = {name: _text(given.headers[name]) for name in of_json if name in given.headers}
    changed = AWSRequest(given.method, given.url, headers=kept, data=body)
    key = Credentials(SETTINGS["AWS_ACCESS_KEY_ID"], SETTINGS["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, attempt.event_name.split(".")[1], SETTINGS["AWS_DEFAULT_REGION"]).add_auth(changed)
    return Attempt(attempt.event_name, changed.prepare(), attempt.deliver)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def lagging(event_id: str, kind: str) -> Effect:
    """A Query does not show yet a row that was just written, unless it is consistent."""

    def effect(attempt: Attempt) -> AWSResponse:
        if attempt.members.get("ConsistentRead"):
            return attempt.delivered()
        answer = json.loads(attempt.delivered().content)
        shown = [
            item
            for item in answer.get("Items", [])
            if not (item["event_id"]["S"] == event_id and item["PK"]["S"].startswith(kind))
        ]
        return attempt.answered(200, json.dumps({**answer, "Items": shown, "Count": len(shown)}).encode())

    return effect
