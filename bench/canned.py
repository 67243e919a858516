"""What AWS would answer, given without a network: botocore serialises, signs and parses as it always does."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

from bench.owners import NETWORK, Clock

Json = dict[str, Any]

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Canned:
    """S3, DynamoDB and SQS that remember what is written, look at no condition, and forget rows on demand."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.tables: dict[str, dict[str, dict[str, Json]]] = defaultdict(lambda: defaultdict(dict))
        self.sent: list[str] = []
        self.calls: list[str] = []

    def attach(self, client: BaseClient, clock: Clock) -> None:
        """Answer all calls of a client."""
        events: Any = client.meta.events  # the stubs know no handlers that answer
        events.register("before-send", clock.at(NETWORK, self._answer))

    def forget(self, *tables: str) -> None:
        """Empty tables, so that the same request does the same again."""
        for table in tables:
            self.tables.pop(table, None)

    def answer(self, request: AWSPreparedRequest) -> AWSResponse:
        """What stands in for the network of a process whose clients nobody meets before they call."""
        said: Any = request.headers.get("X-Amz-Target")
        target = said.decode() if isinstance(said, bytes) else said
        return self._answer(request, target or {"PUT": "s3.PutObject", "GET": "s3.GetObject"}[request.method])

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.calls.append(operation)
        if operation == "PutObject":
            self.objects[request.url] = _content(request)
            return _response(request, b"", {"ETag": '"0123456789abcdef0123456789abcdef"', "x-amz-version-id": "1"})
        if operation == "GetObject":
            return self._ranged(request)
        answer = _ANSWERS[operation](self, json.loads(_content(request)))
        return _response(request, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.0"})

    def _ranged(self, request: AWSPreparedRequest) -> AWSResponse:
        said: Any = request.headers["Range"]
        match = _RANGE.fullmatch(said.decode() if isinstance(said, bytes) else said)
        assert match is not None, said  # noqa: S101  # a programming error of the bench
        content = self.objects[request.url][int(match[1]) : int(match[2]) + 1]
        return _response(request, content, {"Content-Length": str(len(content))}, status=206)

    def _transact(self, asked: Json) -> Json:
        for action in asked["TransactItems"]:
            if "Put" in action:
                self._put(action["Put"])
        return {}

    def _put(self, asked: Json) -> Json:
        item = asked["Item"]
        self.tables[asked["TableName"]][_partition_of(item)][_sort_of(item)] = item
        return {}

    def _get_batch(self, asked: Json) -> Json:
        found = {
            table: [
                item
                for key in wanted["Keys"]
                if (item := self.tables[table].get(_partition_of(key), {}).get(_sort_of(key))) is not None
            ]
            for table, wanted in asked["RequestItems"].items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def _query(self, asked: Json) -> Json:
        named = {name: next(iter(value.values())) for name, value in asked["ExpressionAttributeValues"].items()}
        partition = self.tables[asked["TableName"]][named.get(":pk") or named[":partition"]]
        sort_keys = sorted(partition)
        begin = bisect_left(sort_keys, named.get(":low", ""))
        end = bisect_right(sort_keys, named.get(":high", "~"))
        page = [partition[key] for key in sort_keys[begin : min(end, begin + asked.get("Limit", 10_000))]]
        last = {"LastEvaluatedKey": {name: page[-1][name] for name in ("PK", "SK")}} if begin + len(page) < end else {}
        return {"Count": len(page), "ScannedCount": len(page), **({} if "Select" in asked else {"Items": page}), **last}

    def _send(self, asked: Json) -> Json:
        self.sent += [entry["MessageBody"] for entry in asked.get("Entries", [asked])]
        entries = [
            {"Id": each["Id"], "MessageId": each["Id"], "MD5OfMessageBody": ""} for each in asked.get("Entries", [])
        ]
        return {"Successful": entries} if entries else {"MessageId": "1", "MD5OfMessageBody": ""}


_ANSWERS: dict[str, Callable[[Canned, Json], Json]] = {
    "BatchGetItem": Canned._get_batch,  # noqa: SLF001  # a table of its own methods
    "PutItem": Canned._put,  # noqa: SLF001
    "Query": Canned._query,  # noqa: SLF001
    "SendMessage": Canned._send,  # noqa: SLF001
    "SendMessageBatch": Canned._send,  # noqa: SLF001
    "TransactWriteItems": Canned._transact,  # noqa: SLF001
    "UpdateItem": lambda *_: {},
}


def _partition_of(item: Json) -> str:
    partition: str = (item.get("PK") or item["event_id"])["S"]
    return partition


def _sort_of(item: Json) -> str:
    sort: str = item["SK"]["S"] if "SK" in item else ""
    return sort


def _content(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    return _unchunked(body.read())


def _unchunked(body: bytes) -> bytes:
    """What botocore sends in chunks with a checksum behind: how PutObject goes over TLS.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
    """
    content = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return content
        content, body = content + body[:length], body[length + 2 :]


class _Body(BytesIO):
    """A response's body as botocore reads it from a connection."""

    def stream(self) -> list[bytes]:
        return [self.read()]


def _response(request: AWSPreparedRequest, body: bytes, headers: dict[str, str], status: int = 200) -> AWSResponse:
    said = HTTPHeaders()
    for name, value in {"x-amzn-RequestId": base64.b32encode(b"retrace").decode(), **headers}.items():
        said[name] = value
    raw: Any = _Body(body)
    return AWSResponse(request.url, status, said, raw)
