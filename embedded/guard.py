"""Guards the emulator: refuses web pages and control without its secret, and passes partition keys to its IAM.

It runs in the emulator's own environment. MiniStack takes an empty key, `test`, any twelve digits and one of its own
for the account's root, looks at none of their signatures, allows every origin, and is controlled by anybody.

AWS checks the condition dynamodb:LeadingKeys, of a transaction for each action by itself. MiniStack does not know it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import hmac
import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from ministack.app import _parse_execute_api_url
from ministack.core import iam_actions, iam_evaluator
from ministack.core.router import extract_access_key_id
from ministack.services import sts

from embedded.intruders import CONTROL_HEADER, reason_to_refuse

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_S3_CONTROL = "/v20180820/"
"""MiniStack answers there whatever the signature is. Retrace does not use it."""

KEY = "dynamodb:LeadingKeys"
Call = Mapping[str, Any]

_PARTITION_KEYS = ("PK", "event_id")
"""Those of Retrace's tables; an item of the first kind may have an attribute that is called as the second."""

_ASKED = re.compile(r"(#?\w+)\s*=\s*(:\w+)", re.ASCII)


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
        """Answer 403, or pass on. No response lets a browser's page read it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            why = self._reason_to_refuse(scope)
            if why is None:
                await self._application(scope, receive, _without_cors(send))
            else:
                await _refuse(why, send)
        else:  # Retrace has no use for WebSockets, and a page could open one
            await send({"type": "websocket.close"})

    def _reason_to_refuse(self, scope: Scope) -> str | None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        return reason_to_refuse(headers) or self._reason_to_refuse_program(scope, dict(headers))

    def _reason_to_refuse_program(self, scope: Scope, headers: dict[str, str]) -> str | None:
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


def leading_keys(call: Call) -> dict[str, list[str]]:
    """Return the partition keys that a call names, by table."""
    found: dict[str, list[str]] = defaultdict(list)
    for table, key in _named(call):
        found[table].append(key)
    return found


def _named(call: Call) -> Iterator[tuple[str, str]]:
    for item in call.get("TransactItems", []):
        for action in item.values():
            yield from _named(action)
    for table, requests in call.get("RequestItems", {}).items():
        items = requests["Keys"] if isinstance(requests, dict) else map(_written, requests)
        yield from ((table, _partition_key(item)) for item in items)
    table = call.get("TableName", "")
    for item in (call.get("Key"), call.get("Item")):
        if item:
            yield table, _partition_key(item)
    if asked := _ASKED.search(call.get("KeyConditionExpression", "")):
        yield table, _text(call["ExpressionAttributeValues"][asked[2]])


def _written(request: Call) -> Call:
    [written] = request.values()
    item: Call = written.get("Item") or written["Key"]
    return item


def _partition_key(item: Call) -> str:
    return next((_text(item[name]) for name in _PARTITION_KEYS if name in item), "")


def _text(value: Call) -> str:
    # A `*` of MiniStack's policies matches no line break; AWS documents it for any characters:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    return str(next(iter(value.values()))).replace("\n", " ")


def tell_leading_keys() -> None:
    """Have MiniStack's IAM told of them."""
    context_of, enforce = iam_actions.dynamodb_service_context, iam_evaluator.enforce

    def with_all(body: bytes) -> dict[str, Any]:
        try:
            return {**context_of(body), KEY: leading_keys(json.loads(body or b"{}"))}
        except (AttributeError, KeyError, TypeError, ValueError):  # no call that DynamoDB would take
            return dict(context_of(body))

    def of_the_table(*args: Any, resource_arn: str = "*", service_context: Any = None, **more: Any) -> Any:
        if service_context and KEY in service_context:
            table = resource_arn.partition(":table/")[2].partition("/")[0]
            service_context = {**service_context, KEY: service_context[KEY].get(table, [])}
        return enforce(*args, resource_arn=resource_arn, service_context=service_context, **more)

    iam_actions.dynamodb_service_context = with_all
    iam_evaluator.enforce = of_the_table
