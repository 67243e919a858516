"""MiniStack, without two waits that AWS does not have, where asked with the one that it has, and with leading keys.

It runs in the emulator's own environment, in the place of `python -m ministack`, behind embedded/guard.py. MiniStack
looks at every row of a partition for each query, whatever its window, and parsed the condition again for each row, and
for each row of a transaction. And it waited 50 ms for the first line that a function logs, where that logs nothing. It
read every policy again for each call, all that a FIFO queue had taken in five minutes for each message, and a whole
queue several times for each ten that were received or deleted.

Here a call costs a processor's time, and on AWS time on the way. `PUT /_emulator/delay?ms=5` lets all calls of
functions and users to DynamoDB, S3 and SQS wait so long, which costs no processor's time; `ms=0` ends it.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import ministack.app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import dynamodb, sqs

from embedded.guard import Application, Guard, Receive, Scope, Send, accept_one_root_key, tell_leading_keys

CONTROL_SECRET = "EMULATOR_CONTROL_SECRET"  # noqa: S105  # the variable that has it

Item = Mapping[str, Any]
Holds = Callable[[Item], bool]

_NAME, _VALUE = r"(#?\w+)", r"(:\w+)"
_RANGE = re.compile(rf"{_NAME} = {_VALUE} AND {_NAME} BETWEEN {_VALUE} AND {_VALUE}", re.ASCII)


@dataclass(frozen=True)
class Condition:
    """A condition with its values, as one request says it."""

    text: str
    values: Mapping[str, Item]
    names: Mapping[str, str]
    slot: str

    def is_that_of(self, text: str, values: Any, names: Any, slot: str) -> bool:
        """Whether these are the very objects of the same request, which need no comparison in depth."""
        return self.text is text and self.values is values and self.names is names and self.slot == slot

    @cached_property
    def holds(self) -> Holds:
        """What says of a row whether the condition holds; the text is known to be right."""
        return self._range() or self._any()

    def _range(self) -> Holds | None:
        match = _RANGE.fullmatch(self.text)
        if match is None:
            return None
        partition, sort = (self.names.get(name, name) for name in match.group(1, 3))
        key, low, high = (self.values.get(name, {}) for name in match.group(2, 4, 5))
        if not (key.keys() == low.keys() == high.keys() == {"S"}):
            return None
        first, last = low["S"], high["S"]
        return lambda item: item.get(partition) == key and first <= item.get(sort, {}).get("S", "") <= last

    def _any(self) -> Holds:
        tokens = dynamodb._tokenize(self.text)  # noqa: SLF001  # there is no other way to have it done once
        return lambda item: dynamodb._ExprEval(tokens, item, self.values, self.names).evaluate()  # noqa: SLF001


class Conditions:
    """Conditions as MiniStack evaluates them; the last one is remembered."""

    def __init__(self, evaluate: Callable[..., bool]) -> None:
        self._evaluate = evaluate
        self._last: Condition | None = None

    def __call__(self, text: str, item: Item, values: Any, names: Any, slot: str = "ConditionExpression") -> bool:
        """Whether it holds for a row; raises what MiniStack raises, which looks at the first row as ever."""
        last = self._last
        if last is not None and last.is_that_of(text, values, names, slot):
            try:
                return last.holds(item)
            except Exception:  # noqa: BLE001  # MiniStack says what it is
                return self._evaluate(text, item, values, names, slot)
        answer = self._evaluate(text, item, values, names, slot)
        self._last = Condition(text, values, names, slot) if text and text.strip() else None
        return answer


def parsed_once() -> None:
    """Have MiniStack remember what it found of an expression's text, which depends on nothing else."""
    tokenize = dynamodb._tokenize  # noqa: SLF001  # as above
    tokens_of = lru_cache(lambda text: tuple(tokenize(text)))
    dynamodb._tokenize = lambda text: list(tokens_of(text))  # noqa: SLF001
    dynamodb._condition_syntax_error = lru_cache(dynamodb._condition_syntax_error)  # noqa: SLF001


def policies_parsed_once() -> None:
    """Have MiniStack remember what a policy says. Statements are only read."""
    parse = iam_evaluator.parse_policy_document
    parsed = lru_cache(parse)
    iam_evaluator.parse_policy_document = lambda policy: list((parsed if isinstance(policy, str) else parse)(policy))


Queue = dict[str, Any]
"""As MiniStack has it: its `messages` in order, its `attributes`, and what it has taken of late in `dedup_cache`."""

_EXPIRED_EVERY_S = 1.0


def forget_taken(queue: Queue) -> None:
    """Forget what a FIFO queue took more than five minutes ago, which is first in its cache."""
    taken, now = queue["dedup_cache"], time.time()
    while taken and taken[first := next(iter(taken))]["expire"] <= now:
        del taken[first]


class Queues:
    """What MiniStack does with all messages of a queue, done with those that need it."""

    def __init__(self) -> None:
        self._completed, self._expired = sqs._ensure_msg_fields, sqs._expire_retained  # noqa: SLF001  # as above
        self._deleted = sqs._act_delete_message_batch  # noqa: SLF001

    def complete(self, message: Queue) -> None:
        """Give a message the members that it lacks; `seq` is the last that MiniStack gives one."""
        if "seq" not in message:
            self._completed(message)

    def expire(self, queue: Queue) -> None:
        """Drop what is older than the queue keeps, to the second."""
        now = time.time()
        if not 0 <= now - queue.get("expired_at", 0) < _EXPIRED_EVERY_S:
            queue["expired_at"] = now
            self._expired(queue)

    def delete(self, call: Item, queue_url: str) -> Any:
        """Delete some messages: MiniStack looks for them among those that the call names."""
        queue = sqs._get_q(call.get("QueueUrl", queue_url), "sqs:DeleteMessage")  # noqa: SLF001
        handles, messages = {each.get("ReceiptHandle") or "" for each in call.get("Entries", [])}, queue["messages"]
        rest = [each for each in messages if each["receipt_handle"] not in handles]
        queue["messages"] = [each for each in messages if each["receipt_handle"] in handles]
        try:
            answer = self._deleted(call, queue_url)
        except Exception:
            queue["messages"] = messages
            raise
        queue["messages"] = rest
        return answer


def queues_hastened() -> None:
    """Put this in the place of what MiniStack does for each call to a queue."""
    queues = Queues()
    sqs._prune_dedup, sqs._ensure_msg_fields, sqs._expire_retained = forget_taken, queues.complete, queues.expire  # noqa: SLF001
    sqs._HANDLERS["DeleteMessageBatch"] = queues.delete  # noqa: SLF001


def patch_ministack() -> None:
    """Put this in the place of MiniStack's own."""
    parsed_once()
    policies_parsed_once()
    queues_hastened()
    dynamodb._evaluate_condition = Conditions(dynamodb._evaluate_condition)  # noqa: SLF001  # as above
    lambda_runtime._PYTHON_WORKER_SCRIPT = with_a_line(lambda_runtime._PYTHON_WORKER_SCRIPT)  # noqa: SLF001


def with_a_line(worker: str) -> str:
    """The program that calls functions, writing an empty line after each call; none of it comes into a log."""
    called = "result = handler_fn(event, context)\n"
    before, found, after = worker.partition(called)
    if not found:
        raise RuntimeError("MiniStack calls functions in another way than it did.")
    return f"{before}{called}            print(file=sys.stderr, flush=True)\n{after}"


DELAY = "/_emulator/delay"
_ASKED = re.compile(rb"ms=(\d{1,4})")
_SIGNED_BY = re.compile(rb"Credential=([^/,\s]+)/\d+/[^/]+/(?:dynamodb|s3|sqs)/")
"""Who made a call to one of the three services, as it is signed."""


class Delayed:
    """Wraps an ASGI application so that it is as far away as configured."""

    def __init__(self, application: Application, *, root_key_id: str) -> None:
        self._application = application
        self._administrator = root_key_id.encode()  # looks on while others are measured
        self._delay_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, or be told how far away to be."""
        if scope["type"] == "http" and scope["path"] == DELAY:
            await self._told(scope["query_string"], send)
            return
        if self._delay_s and scope["type"] == "http" and self._is_delayed(scope["headers"]):
            await asyncio.sleep(self._delay_s)
        await self._application(scope, receive, send)

    async def _told(self, query: bytes, send: Send) -> None:
        asked = _ASKED.fullmatch(query)
        if asked:
            self._delay_s = int(asked[1]) / 1_000
        await send({"type": "http.response.start", "status": 204 if asked else 400, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _is_delayed(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether another principal than the administrator calls one of the three services."""
        signed = _SIGNED_BY.search(dict(headers).get(b"authorization", b""))
        return signed is not None and signed[1] != self._administrator


def main() -> None:
    """Run until told to stop."""
    os.umask(0o077)
    root_key_id = os.environ["AWS_ACCESS_KEY_ID"]
    secret = os.environ.pop(CONTROL_SECRET)  # or each function would have it in its environment
    patch_ministack()
    tell_leading_keys()
    accept_one_root_key(root_key_id)
    near_or_far = Delayed(ministack.app.app, root_key_id=root_key_id)
    ministack.app.app = Guard(near_or_far, root_key_id=root_key_id, secret=secret)
    ministack.app.main()


if __name__ == "__main__":
    main()
