"""Signs calls to the API of a stack, as a producer and as an investigator."""

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from embedded.connection import Stack
from infra.command import Problem, observe

Json = dict[str, Any]

NDJSON: Final = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
OVER: Final = frozenset({"COMPLETE", "CANCELLED", "FAILED"})
"""The states in which a replay does not change any more."""

_AGAIN: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_ATTEMPTS = 5
_POLL_SECONDS = 0.1


class Api:
    """The API of one stack, called as its local user. Connections are kept; threads may share it."""

    def __init__(self, stack: Stack, *, timeout: float = 60.0, connections: int = 16) -> None:
        self._base = stack.api_url
        self._pool = urllib3.PoolManager(maxsize=connections, block=True, timeout=timeout, retries=False)
        credentials = Credentials(stack.access_key_id, stack.secret_access_key)
        self._signer = SigV4Auth(credentials, "execute-api", stack.region)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request; the path starts with a slash and is taken as plain text."""
        url = self._base + quote(path) + ("?" + urlencode(query, quote_via=quote) if query else "")
        request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
        self._signer.add_auth(request)
        return self._pool.request(method, url, body=body, headers=dict(request.headers.items()))


@dataclass(frozen=True, slots=True)
class Ingested:
    """The answer to one POST /ingest: a result for each event, in order."""

    status: int
    results: Sequence[Json]

    def count(self, status: str) -> int:
        """Return how many events ended in a status such as ACCEPTED."""
        return Counter(result["status"] for result in self.results)[status]


@dataclass(frozen=True, slots=True)
class Job:
    """A replay as GET /replay/{id} shows it."""

    replay_id: str
    state: str
    matched: int
    sent: int
    processed: int


class Client:
    """Calls the API as its local user. Threads may share it."""

    def __init__(self, stack: Stack) -> None:
        self._api = Api(stack)

    def ingest(self, lines: Sequence[bytes]) -> Ingested:
        """Send events, one a line, in one request."""
        body = gzip.compress(b"\n".join(lines))
        answer = self._call("POST", "/ingest", query={"results": "all"}, body=body, headers=NDJSON)
        answered: Json = json.loads(answer.data)
        if "results" in answered:
            return Ingested(answer.status, answered["results"])
        if answer.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise _problem_of("POST /ingest", answer)
        refused = {"status": "REJECTED", "errors": [{"field": "body", "message": answered["detail"]}]}
        return Ingested(answer.status, [refused] * len(lines))

    def event(self, event_id: str) -> Json:
        """Return what is known of an event."""
        return self._get(f"/events/{event_id}")

    def raw(self, event_id: str) -> bytes:
        """Return the event's own text."""
        return self._ok("GET", f"/events/{event_id}/raw", {}).data

    def request_replay(self, request: Json) -> Job:
        """Ask for a replay. Not tried again by itself: each request is a replay of its own."""
        headers = {"Content-Type": "application/json"}
        answer = self._call("POST", "/replay", body=json.dumps(request).encode(), headers=headers, attempts=1)
        if answer.status != HTTPStatus.ACCEPTED:
            raise _problem_of("POST /replay", answer)
        return _job(json.loads(answer.data))

    def define_metric(self, name: str, definition: Json) -> None:
        """Define a metric, or give it another definition."""
        headers = {"Content-Type": "application/json"}
        answer = self._call("PUT", f"/metrics/{name}", body=json.dumps(definition).encode(), headers=headers)
        if answer.status != HTTPStatus.OK:
            raise _problem_of(f"PUT /metrics/{name}", answer)

    def progress(self, job: Job, patience: float) -> Iterator[Job]:
        """Yield the replay each time that it has moved on, until it is over.

        Raises Problem if it does not end as COMPLETE, or does not move for as many seconds as there is patience.
        """
        path, moved = f"/replay/{job.replay_id}", time.monotonic()
        for now in observe(lambda: _job(self._get(path)), _POLL_SECONDS):
            if now != job:
                moved, job = time.monotonic(), now
                yield job
            elif time.monotonic() > moved + patience:
                raise Problem(f"The replay makes no progress: {job}", "Look for its messages in the dead-letter queue.")
            if job.state in OVER:
                break
        if job.state != "COMPLETE":
            raise Problem(f"The replay did not complete: {job}", "GET /replay/{id} and the logs may say why.")

    def aggregates(self, entity_id: str, day: str) -> Json:
        """Return every version of a daily aggregate."""
        return self._get("/aggregates", {"entity_id": entity_id, "day": day})

    def values(self, metric: str, day: str) -> Json:
        """Return what a metric comes to on a day, over all entities."""
        return self._get(f"/metrics/{metric}/values", {"start_day": day, "end_day": day})

    def difference(self, entity_id: str, day: str, from_: str, to: str, metric: str) -> Json:
        """Return what makes the difference between the versions of two replays."""
        query = {"entity_id": entity_id, "day": day, "from": from_, "to": to, "metric": metric}
        return self._get("/aggregates/diff", query)

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        answer: Json = json.loads(self._ok("GET", path, query or {}).data)
        return answer

    def _ok(self, method: str, path: str, query: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        answer = self._call(method, path, query=query)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _problem_of(f"{method} {path}", answer)
        return answer

    def _call(self, method: str, path: str, *, attempts: int = _ATTEMPTS, **details: Any) -> urllib3.BaseHTTPResponse:
        """Call, and call again where that may help: no event counts twice, however often it is sent."""
        for left in reversed(range(attempts)):
            try:
                answer = self._api.call(method, path, **details)
            except urllib3.exceptions.HTTPError as error:
                if not left:
                    raise Problem(f"{method} {path} got no answer: {error}", "Is the stack still running?") from error
            else:
                if answer.status not in _AGAIN or not left:
                    return answer
                time.sleep(int(answer.headers.get("Retry-After", "1")))
        raise AssertionError("an attempt either returns or raises")  # pragma: no cover


def _job(body: Json) -> Job:
    return Job(*(body[name] for name in ("replay_id", "state", "matched", "sent", "processed")))


def _problem_of(call: str, answer: urllib3.BaseHTTPResponse) -> Problem:
    said = answer.data.decode(errors="replace")
    return Problem(f"{call} was answered {answer.status}: {said}", "The answer says what is wrong.")
