"""A proxy before the embedded AWS that counts calls and disturbs some. It runs in the emulator's own environment.

Rules are those of microburst, set and read under /_microburst/; `GET /_wire/calls` tells what went over the wire.
"""

import re
import sys
from collections import Counter
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler
from microburst import models
from microburst.app import make_app
from microburst.core.context import RequestContext
from microburst.core.pipeline import Microburst
from microburst.forward import Upstream
from microburst.rules import Decision, Rule, RuleEngine
from yarl import URL

from embedded.intruders import reason_to_refuse

_CALLER = re.compile(r"\bapp/(\S+)")
"""Where the SDK says what AWS_SDK_UA_APP_ID says."""

CALLS = "/_wire/calls"
_MOST_BYTES = 64 * 1024**2


class _Verbatim:
    """A session that leaves the escapes of a URL as they are: they are part of what was signed."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def request(self, method: str, url: str, **details: Any) -> Any:
        return self._session.request(method, URL(url, encoded=True), **details)

    async def close(self) -> None:
        await self._session.close()


class _Wire(Upstream):
    """What calls are passed on over."""

    async def start(self) -> None:
        await super().start()
        self.session = _Verbatim(self.session)

    def _outbound_headers(self, request: web.Request) -> dict[str, str]:
        """The client's own, the host included: it is part of what was signed."""
        headers: dict[str, str] = super()._outbound_headers(request)
        return headers | {"host": request.headers["Host"]}

    async def relay(self, request: web.Request, body: bytes | None, mutator: Any = None, data: Any = None) -> Any:
        """Pass a call on; where the whole answer is to be lost, let AWS do all of it first.

        microburst cuts an answer off in its body, but not every answer has one.
        """
        if mutator is None or mutator.abort_frac != 0:
            return await super().relay(request, body, mutator, data)
        content = await request.read() if body is None else body
        url = self.base_url + request.rel_url.raw_path_qs
        async with self.session.request(
            request.method, url, headers=self._outbound_headers(request), data=content, allow_redirects=False
        ) as answer:
            await answer.read()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


class _CountedRules(RuleEngine):
    """Rules that are asked about every call, once; they have names, for what is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str, str, str]] = Counter()

    def set_rules(self, data: list[dict[str, Any]]) -> list[Rule]:
        rules: list[Rule] = super().set_rules(data)
        for rule, said in zip(rules, data, strict=True):
            rule.name = said["name"]
        return rules

    def decide(self, info: RequestContext) -> Decision | None:
        decision = super().decide(info)
        caller = _CALLER.search(info.headers.get("User-Agent", ""))
        fault = "" if decision is None else decision.rule.name
        self.calls[caller[1] if caller else "", info.service or "", info.operation or "", fault] += 1
        return decision


def _application(upstream: str) -> web.Application:
    proxy = Microburst(upstream)
    proxy.upstream = _Wire(upstream, stats=proxy.stats)
    proxy.engine = rules = _CountedRules()

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if why := reason_to_refuse(request.headers.items()):
            return web.Response(status=403, text=f"{why}\n")
        if request.path != CALLS:
            return await handler(request)
        if request.method == "DELETE":
            rules.calls.clear()
        return web.json_response([[*call, count] for call, count in rules.calls.items()])

    application = make_app(proxy)
    application._client_max_size = _MOST_BYTES  # noqa: SLF001  # microburst leaves it at one megabyte
    application.middlewares.append(counted)
    return application


# SQS says RequestThrottled as it is; microburst puts the name of the service before each error.
models._QUERY_ERROR_NAMESPACE.clear()  # noqa: SLF001  # there is no other way to say so

if __name__ == "__main__":
    web.run_app(_application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), print=None)
