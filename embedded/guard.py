"""Guards the emulator: refuses web pages, and control without its secret.

It runs in the emulator's own environment. MiniStack takes an empty key, `test`, any twelve digits and one of its own
for the account's root, looks at none of their signatures, allows every origin, and is controlled by anybody.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack.app import _parse_execute_api_url
from ministack.core import iam_evaluator
from ministack.core.router import extract_access_key_id
from ministack.services import sts

from embedded.administrator import CONTROL_HEADER
from embedded.intruders import refusal

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_S3_CONTROL = "/v20180820/"
"""MiniStack answers there whatever the signature is. Retrace does not use it."""


def accept_one_root_key(key_id: str) -> None:
    """Have MiniStack take this key alone for root, and verify its signature like that of any other."""
    iam_evaluator.is_root_access_key = sts.is_root_access_key = lambda asked: asked == key_id
    iam_evaluator._is_root_key = lambda _: False  # noqa: SLF001  # asked only where root's signature would be skipped


class Guard:
    """An ASGI application that refuses some requests and passes the others on."""

    def __init__(self, application: Application, *, root_key_id: str, secret: str) -> None:
        self._application = application
        self._root_key_id = root_key_id
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or pass on; no answer tells a browser that its page may read it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            why = self._refusal(scope)
            if why is None:
                await self._application(scope, receive, _without_cors(send))
            else:
                await _refuse(why, send)
        else:  # Retrace has no use for WebSockets, and a page could open one
            await send({"type": "websocket.close"})

    def _refusal(self, scope: Scope) -> str | None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        return refusal(headers) or self._refusal_of_program(scope, dict(headers))

    def _refusal_of_program(self, scope: Scope, headers: dict[str, str]) -> str | None:
        path, query = scope["path"], parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if _parse_execute_api_url(headers["host"], path) is not None:
            return None
        if path == "/health" or path.startswith("/_"):
            given = headers.get(CONTROL_HEADER.lower(), "").encode()
            return None if hmac.compare_digest(given, self._secret) else f"{path} needs the header {CONTROL_HEADER}."
        if not extract_access_key_id(headers, query):
            return "This request is not signed."
        if path.startswith(_S3_CONTROL):
            return "The emulator does not serve S3 Control."
        if extract_access_key_id({}, query) == self._root_key_id:
            return "A presigned URL of the administrator is refused. Sign URLs as a user."
        return None


def _without_cors(send: Send) -> Send:
    async def sent(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [each for each in message["headers"] if not each[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return sent


async def _refuse(why: str, send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})
