"""Tables without moto, which is slow with thousands of rows: reads and writes are answered from memory."""

from __future__ import annotations

import json
from base64 import b64decode
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

Item = dict[str, Any]
Answer = tuple[AWSResponse, dict[str, Any]]
Key = tuple[str, ...]
Place = tuple[str, Key]
"""What a partition is sorted by, and the key of the row that is there."""


@dataclass
class TableInMemory:
    """A table, its primary key and the keys of its indexes: for each the partition key, then perhaps a sort key."""

    keys: Sequence[tuple[str, ...]]
    _rows: dict[Key, Item] = field(default_factory=dict)
    _partitions: dict[tuple[str, str], list[Place]] = field(default_factory=lambda: defaultdict(list))

    def put(self, item: Item) -> None:
        """Keep a row, in place of one that has its key; keys of indexes do not change."""
        key = self._key_of(item)
        if key not in self._rows:
            for partition, *sort in self.keys:
                if sort and partition in item:
                    insort(self._partitions[partition, item[partition]["S"]], (item[sort[0]]["S"], key))
        self._rows[key] = item

    def get(self, item: Item) -> Item | None:
        """The row that has an item's key."""
        return self._rows.get(self._key_of(item))

    def between(self, partition: str, value: str, low: str, high: str, limit: int) -> list[Item]:
        """Rows of a partition in order, as many as asked for."""
        places = self._partitions[partition, value]
        begin = bisect_left(places, low, key=_sort_key)
        end = min(bisect_right(places, high, key=_sort_key), begin + limit)
        return [self._rows[key] for _, key in places[begin:end]]

    def _key_of(self, item: Item) -> Key:
        return tuple(item[name]["S"] for name in self.keys[0])


class TablesInMemory:
    """Tables by name. What is asked of others goes where it went."""

    def __init__(self, tables: Mapping[str, TableInMemory]) -> None:
        self._tables = tables

    def attach(self, dynamodb: BaseClient) -> None:
        """Answer a client's calls."""
        events: Any = dynamodb.meta.events  # the stubs know no handlers that answer
        for name, answered in {
            "BatchGetItem": self._got,
            "BatchWriteItem": self._put,
            "TransactWriteItems": self._put_together,
            "Query": self._queried,
        }.items():
            events.register(f"before-call.dynamodb.{name}", _answering(answered))

    def _got(self, call: dict[str, Any]) -> dict[str, Any] | None:
        [(name, wanted)] = call["RequestItems"].items()
        if name not in self._tables:
            return None
        found = map(self._tables[name].get, wanted["Keys"])
        return {"Responses": {name: [item for item in found if item is not None]}, "UnprocessedKeys": {}}

    def _put(self, call: dict[str, Any]) -> dict[str, Any] | None:
        [(name, requests)] = call["RequestItems"].items()
        if name not in self._tables:
            return None
        for request in requests:
            self._tables[name].put(_parsed(request["PutRequest"]["Item"]))
        return {"UnprocessedItems": {}}

    def _put_together(self, call: dict[str, Any]) -> dict[str, Any] | None:
        """Put rows. Nobody else writes, so all conditions hold; counters, which are updated, are not looked at here."""
        actions = [write for action in call["TransactItems"] for write in action.values()]
        if any(write["TableName"] not in self._tables for write in actions):
            return None
        for write in actions:
            if "Item" in write:
                self._tables[write["TableName"]].put(_parsed(write["Item"]))
        return {}

    def _queried(self, call: dict[str, Any]) -> dict[str, Any] | None:
        if call["TableName"] not in self._tables:
            return None
        partition = call["KeyConditionExpression"].partition(" ")[0]
        named = {name: value["S"] for name, value in call["ExpressionAttributeValues"].items()}
        bounds = (named[":partition"], named[":low"], named[":high"])
        items = self._tables[call["TableName"]].between(partition, *bounds, call["Limit"])
        last = {"LastEvaluatedKey": items[-1]} if len(items) == call["Limit"] else {}
        return {"Items": items, **last}


def _answering(answered: Any) -> Any:
    def handler(params: dict[str, Any], **_: Any) -> Answer | None:
        answer = answered(json.loads(params["body"]))
        return None if answer is None else (AWSResponse(params["url"], 200, HTTPHeaders(), None), answer)

    return handler


def _parsed(item: Item) -> Item:
    """An item as boto3 reads it from an answer: bytes go over the wire as base64."""
    return {name: {"B": b64decode(value["B"])} if "B" in value else value for name, value in item.items()}


def _sort_key(place: Place) -> str:
    return place[0]
