"""The index by type and day without moto, which is slow with thousands of rows: its queries are answered from lists."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

from chalicelib.aws import keys
from chalicelib.aws.items import Item

Answer = tuple[AWSResponse, dict[str, Any]]


class IndexInMemory:
    """Rows of EventsTable by the partitions of the index, each in order."""

    def __init__(self, rows: Iterable[Item]) -> None:
        self._partitions: dict[str, list[tuple[str, Item]]] = defaultdict(list)
        for row in rows:
            self._partitions[row["type_day"]["S"]].append((row["SK"]["S"], row))
        for partition in self._partitions.values():
            partition.sort(key=_sort_key)

    def attach(self, dynamodb: BaseClient) -> None:
        """Answer a client's queries of the index; all its other calls go where they went."""
        events: Any = dynamodb.meta.events  # the stubs know no handlers that answer
        events.register("before-call.dynamodb.Query", self._answered)

    def _answered(self, params: dict[str, Any], **_: Any) -> Answer | None:
        query = json.loads(params["body"])
        if query.get("IndexName") != keys.TYPE_AND_DAY_INDEX:
            return None
        named = {name: value["S"] for name, value in query["ExpressionAttributeValues"].items()}
        rows = self._partitions[named[":partition"]]
        begin = bisect_left(rows, named[":low"], key=_sort_key)
        end = min(bisect_right(rows, named[":high"], key=_sort_key), begin + query["Limit"])
        items = [row for _, row in rows[begin:end]]
        last = {"LastEvaluatedKey": items[-1]} if len(items) == query["Limit"] else {}
        return AWSResponse(params["url"], 200, HTTPHeaders(), None), {"Items": items, **last}


def _sort_key(row: tuple[str, Item]) -> str:
    return row[0]
