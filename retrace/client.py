"""Sends signed requests to the API, retries them if that may help, and raises its problems."""

from __future__ import annotations

import os
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from retrace.answer import Answer, Json, problem_of, succeeded
from retrace.local_stack import is_on_this_machine
from retrace.problem import Exit, Problem
from retrace.target import Target


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its URL without credentials, which are in the headers."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def proxy_for(url: str) -> Proxy | None:
    """The proxy of the environment for a URL; None if NO_PROXY names its host, or it is on this machine.

    Raises Problem if it is not an HTTP proxy.
    """
    parts = urlsplit(url)
    if is_on_this_machine(url) or proxy_bypass(parts.netloc):
        return None
    named = getproxies().get(parts.scheme)
    return _proxy(named, f"{parts.scheme}_proxy") if named else None


def _proxy(named: str, variable: str) -> Proxy:
    """Without a scheme it is HTTP, as for boto3 and curl."""
    try:
        proxy = urllib3.util.parse_url(named if "://" in named else f"http://{named.removeprefix('//')}")
    except urllib3.exceptions.LocationParseError:
        proxy = urllib3.util.Url()
    if proxy.host is None or proxy.scheme not in ("http", "https"):
        remedy = f"Set {variable} to a URL such as http://proxy.example:3128, or let NO_PROXY name the API's host."
        raise Problem(f"The proxy that {variable} names is not an HTTP proxy.", remedy, Exit.UNREACHABLE)
    return Proxy(f"{proxy.scheme}://{proxy.netloc}", _credentials(proxy.auth))


def _credentials(user_and_password: str | None) -> Mapping[str, str]:
    if user_and_password is None:
        return {}
    user, _, password = user_and_password.partition(":")
    basic = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {basic}"}


def pool(proxy: Proxy | None, **options: Any) -> urllib3.PoolManager:
    """Connections, through a proxy if there is one."""
    options["ca_certs"] = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    if proxy is None:
        return urllib3.PoolManager(**options)
    return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)


ATTEMPTS = 6
LONGEST_WAIT_S = 60.0
"""A longer Retry-After is not waited for: the answer is told instead."""

_LONGEST_PAUSE_S = 20.0
WORTH_SENDING_AGAIN: frozenset[int] = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ProxyError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.SSLError,
)


class Client:
    """The API of one target. Threads may share it."""

    def __init__(
        self,
        target: Target,
        *,
        connections: int = 8,
        timeout_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target = target
        self._proxy = proxy_for(target.url)
        self._pool = pool(self._proxy, maxsize=connections, block=True, timeout=timeout_s, retries=False)
        self._sleep = sleep
        self._ever_answered = False

    def get(self, path: str, query: Mapping[str, str | None] | None = None) -> Json:
        """The body of a GET; raises Problem for anything but success."""
        return self.expect("GET", path, query=query).json

    def pages(self, path: str, query: Mapping[str, str | None], at_most: int | None = None) -> Iterator[Json]:
        """The items of a list, read page by page when needed."""
        return chain.from_iterable(self.each_page(path, query, at_most))

    def each_page(
        self,
        path: str,
        query: Mapping[str, str | None],
        at_most: int | None = None,
        read: Callable[[Answer], tuple[list[Json], str | None]] = Answer.items_and_cursor,
    ) -> Iterator[list[Json]]:
        """The pages of a list, read when needed."""
        cursor: str | None = None
        left = at_most
        while left is None or left > 0:
            items, cursor = read(self.expect("GET", path, query={**query, "cursor": cursor}))
            yield items[:left]
            left = None if left is None else left - len(items)
            if cursor is None:
                return

    def expect(
        self, method: str, path: str, *, expected: Callable[[Answer], bool] = succeeded, **details: Any
    ) -> Answer:
        """An answer that is expected; raises Problem for any other."""
        answer = self.call(method, path, expected=expected, **details)
        if not expected(answer):
            raise self.problem_of(f"{method} {path}", answer)
        return answer

    def problem_of(self, call: str, answer: Answer) -> Problem:
        """What an answer refuses, and what to do about it."""
        problem = problem_of(call, answer)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and self.target.stack_here:
            problem.remedy = str(self.target.left_over)
        return problem

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        expected: Callable[[Answer], bool] = succeeded,
    ) -> Answer:
        """Send a request, and again after a pause where it got no answer or one that says to try later.

        So it must be one that may be repeated: a replay is asked for with an Idempotency-Key.
        """
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                answer = self.once(method, path, query=query, body=body, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                if last or self._is_hopeless(error, attempt):
                    raise _unreachable(self.target, self._proxy, error) from error
                self._wait(attempt, 0)
                continue
            if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                raise _unreachable(self.target, self._proxy, "407 Proxy Authentication Required")
            self._ever_answered = True
            asked = answer.retry_after_s
            if last or asked > LONGEST_WAIT_S or expected(answer) or answer.status not in WORTH_SENDING_AGAIN:
                return answer
            self._wait(attempt, asked)
        raise AssertionError("an attempt returns or raises")  # pragma: no cover

    def once(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a signed request, once; raises what urllib3 raises if no answer comes, and Problem if it cannot sign."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.target.url + quote(path) + ("?" + urlencode(given, quote_via=quote) if given else "")
        request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
        self._sign(request)
        answer = self._pool.request(method, url, body=body, headers=dict(request.headers.items()))
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def _sign(self, request: AWSRequest) -> None:
        """Add a signature. If that cannot be, because RETRACE_URL is left over, raises what tells that."""
        try:
            SigV4Auth(self.target.credentials, "execute-api", self.target.signing_region).add_auth(request)
        except Problem as problem:
            if self.target.stack_here:
                problem.remedy = str(self.target.left_over)
            elif self.target.left_over:
                self._pool.request("GET", f"{self.target.url}/health")  # fails if that stack is gone
                problem.remedy = "Run it in the directory of that stack's `make up`, where its key is."
            raise

    def _is_hopeless(self, error: Exception, attempt: int) -> bool:
        """Whether the address is probably wrong: two attempts got no connection, and none ever got an answer."""
        return isinstance(error, _NOT_SENT) and attempt > 1 and not self._ever_answered

    def _wait(self, attempt: int, asked: float) -> None:
        self._sleep(max(asked, jittered(attempt, _LONGEST_PAUSE_S)))


def jittered(attempt: int, longest_s: float) -> float:
    """How long to pause after this many attempts: a random part of a time that doubles, up to the longest."""
    return random.uniform(0, min(longest_s, 0.25 * 2 ** min(attempt, 30)))  # noqa: S311  # jitter is no secret


def _unreachable(target: Target, proxy: Proxy | None, error: object) -> Problem:
    remedy, through = f"Check that it is up and that the address is right ({target.found_in}).", ""
    if target.is_local:
        remedy = "Start the local stack: make up"
    if target.left_over:
        remedy = target.left_over
    if proxy is not None:
        through = f" through the proxy {proxy.url}"
        remedy = "Check the proxy and its credentials (http_proxy, https_proxy), or let NO_PROXY name the API's host."
    why = str(getattr(error, "original_error", error)).rpartition(": ")[2]  # without the address of an object
    return Problem(f"{target.url} does not answer{through}: {why}", remedy, Exit.UNREACHABLE)
