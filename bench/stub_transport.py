"""AWS without a network: botocore serialises, signs and parses as always, and what it sends is answered from memory."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from operator import itemgetter
from typing import Any

from botocore import handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

from bench.orders import Json

Answer = Callable[..., AWSResponse]

_INDEXED = {"PK": "SK", "type_day": "SK"}
"""Partition keys of what is asked for, each with its sort key."""

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Table:
    """Rows by their keys, and in the order of each partition."""

    def __init__(self) -> None:
        self.rows: dict[str, Json] = {}
        self._partitions: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)

    def put(self, item: Json) -> None:
        """Keep a row, in place of one that has its key; keys of indexes do not change."""
        key = _key_of(item)
        if key not in self.rows:
            for partition, sort in _INDEXED.items():
                if partition in item:
                    insort(self._partitions[partition, item[partition]["S"]], (item[sort]["S"], key))
        self.rows[key] = item

    def got(self, keys: list[Json]) -> list[Json]:
        """The rows that have these keys."""
        return [self.rows[key] for key in map(_key_of, keys) if key in self.rows]

    def queried(self, asked: Json) -> Json:
        """A page of a partition, in order."""
        attribute, _, _ = asked["KeyConditionExpression"].partition(" ")
        named = {name: next(iter(value.values())) for name, value in asked["ExpressionAttributeValues"].items()}
        places = self._partitions[attribute, named.get(":pk") or named[":partition"]]
        begin = bisect_left(places, named.get(":low", ""), key=itemgetter(0))
        end = bisect_right(places, named.get(":high", "~"), key=itemgetter(0))
        page = [self.rows[key] for _, key in places[begin : min(end, begin + asked.get("Limit", 10_000))]]
        more = len(page) == asked.get("Limit")
        last = {"LastEvaluatedKey": {name: page[-1][name] for name in ("PK", "SK")}} if more else {}
        return {"Count": len(page), "ScannedCount": len(page), **({} if "Select" in asked else {"Items": page}), **last}


def _key_of(item: Json) -> str:
    return f"{item['PK']['S']}\0{item['SK']['S']}" if "PK" in item else str(item["event_id"]["S"])


class StubTransport:
    """S3, DynamoDB, SQS and EventBridge. They look at no condition, and leave rows as they are on updates.

    An object stays as it was put first: raw objects are written once.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.tables: dict[str, Table] = defaultdict(Table)
        self.sent: list[str] = []

    def attach(self, *clients: BaseClient, charged: Callable[[Answer], Answer] = lambda answer: answer) -> None:
        """Answer all calls of these clients."""
        for client in clients:
            events: Any = client.meta.events  # the stubs know no handlers that answer
            events.register("before-send", charged(self._answered))

    def replace_network(self) -> None:
        """Answer all clients that are made in this process from now on."""
        handlers.BUILTIN_HANDLERS.append(("before-send", self._answered))

    def _answered(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        if operation == "PutObject":
            self.objects.setdefault(request.url, _content(request))
            return _response(request, b"", {"ETag": '"0123456789abcdef0123456789abcdef"', "x-amz-version-id": "1"})
        if operation == "GetObject":
            return self._ranged(request)
        answer = self._operation(operation, json.loads(_content(request)))
        return _response(request, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.0"})

    def _ranged(self, request: AWSPreparedRequest) -> AWSResponse:
        said: Any = request.headers["Range"]
        match = _RANGE.fullmatch(said.decode() if isinstance(said, bytes) else said)
        assert match is not None, said  # noqa: S101  # a programming error of the bench
        content = self.objects[request.url][int(match[1]) : int(match[2]) + 1]
        return _response(request, content, {"Content-Length": str(len(content))}, status=206)

    def _operation(self, name: str, asked: Json) -> Json:
        match name:
            case "GetItem":
                found = self.tables[asked["TableName"]].got([asked["Key"]])
                return {"Item": found[0]} if found else {}
            case "BatchGetItem":
                rows = {table: self.tables[table].got(of["Keys"]) for table, of in asked["RequestItems"].items()}
                return {"Responses": rows, "UnprocessedKeys": {}}
            case "Query":
                return self.tables[asked["TableName"]].queried(asked)
            case "SendMessage" | "SendMessageBatch" | "PutEvents":
                return self._take(asked.get("Entries", [{"Id": "1", **asked}]))
            case "UpdateItem" if "ReturnValues" in asked:
                return {"Attributes": {"newest": {"N": "1795341600000"}}}  # which ids of replays are made from
        self._write(name, asked)
        return {}

    def _write(self, name: str, asked: Json) -> None:
        match name:
            case "PutItem":
                self.tables[asked["TableName"]].put(asked["Item"])
            case "BatchWriteItem":
                for table, requests in asked["RequestItems"].items():
                    for request in requests:
                        self.tables[table].put(request["PutRequest"]["Item"])
            case "TransactWriteItems":
                for put in (action["Put"] for action in asked["TransactItems"] if "Put" in action):
                    self.tables[put["TableName"]].put(put["Item"])
            case "UpdateItem":
                pass
            case _:
                raise NotImplementedError(name)

    def _take(self, entries: list[Json]) -> Json:
        if "Detail" in entries[0]:  # for a bus
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in entries]}
        self.sent += [entry["MessageBody"] for entry in entries]
        taken = [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""} for entry in entries]
        return {"Successful": taken, **taken[0]}


def _content(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else _unchunked(body.read())


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
    for name, value in {"x-amzn-RequestId": "OJSXI4TBMNSQ====", **headers}.items():
        said[name] = value
    raw: Any = _Body(body)
    return AWSResponse(request.url, status, said, raw)
