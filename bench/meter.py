"""Count AWS calls, and what DynamoDB, SQS and S3 charge for each, by the rules that AWS publishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import SEEK_END
from math import ceil
from typing import Any

from botocore.client import BaseClient

from bench.prices import BYTES_A_ROW, KIB

S3 = "S3"
INDEXES = "indexes"

Item = Mapping[str, Any]


def item_size(item: Item) -> int:
    """The size of an item in bytes: its names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: Mapping[str, Any]) -> int:
    [(kind, value)] = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value)
        case "N":
            return ceil(len(value.strip("-").replace(".", "").strip("0")) / 2) + 1
        case "L":
            return 3 + sum(1 + _value_size(member) for member in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(member) for name, member in value.items())
        case "BOOL" | "NULL":
            return 1
        case _:
            raise ValueError(f"No size is known for {kind}.")


def write_units(size: int) -> int:
    """A unit for each KB begun."""
    return max(1, ceil(size / KIB))


def read_units(size: int, *, consistent: bool) -> float:
    """A unit for each four KB begun, half of that where an older answer will do; what is not there costs one unit."""
    return max(1, ceil(size / (4 * KIB))) * (1.0 if consistent else 0.5)


@dataclass
class Meter:
    """What was asked of AWS since it was set to zero. Units are counted by table.

    `indexes` are the partition keys of a table's indexes, all of which hold whole rows. They are written after the
    transaction, and cost once: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """

    indexes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    projections: Counter[str] = field(default_factory=Counter)
    reads: dict[str, float] = field(default_factory=dict)
    sqs_requests: int = 0
    stored_bytes: Counter[str] = field(default_factory=Counter)
    """What stays in S3, in a table or in indexes, with what is charged beside it; of rows that are put."""

    def attach(self, client: BaseClient) -> None:
        """Count the calls of a client."""
        events: Any = client.meta.events  # the stubs are stricter than the handlers
        service = client.meta.service_model.service_id.hyphenize()
        events.register(f"before-parameter-build.{service}", self.asked)
        events.register_first(f"after-call.{service}", self.answered)

    def reset(self) -> None:
        """Begin at zero."""
        for counts in (self.calls, self.writes, self.projections, self.reads, self.stored_bytes):
            counts.clear()
        self.sqs_requests = 0

    def asked(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """A handler for what a client is asked to call."""
        context["metered"] = params

    def answered(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        """A handler for the answer, to be called before others make something else of it."""
        if model.name not in self._counting:
            raise ValueError(f"Nobody has said what {model.name} costs.")
        self.calls[model.name] += 1
        self._counting[model.name](context["metered"], parsed)

    @property
    def _counting(self) -> Mapping[str, Callable[[Item, Item], None]]:
        """What counts an operation, from what was asked and what was answered."""
        return {
            "BatchGetItem": self._batch_got,
            "Query": self._queried,
            "PutItem": self._put,
            "UpdateItem": self._updated,
            "BatchWriteItem": self._batch_wrote,
            "TransactWriteItems": self._wrote_together,
            "PutObject": self._stored,
            "GetObject": lambda *_: None,
            "SendMessage": lambda params, _: self._sent([params]),
            "SendMessageBatch": lambda params, _: self._sent(params["Entries"]),
        }

    def _batch_got(self, params: Item, parsed: Item) -> None:
        for table, wanted in params["RequestItems"].items():
            consistent = wanted.get("ConsistentRead", False)
            found = parsed["Responses"].get(table, [])
            units = sum(read_units(item_size(item), consistent=consistent) for item in found)
            absent = len(wanted["Keys"]) - len(found)
            self._read(table, units + absent * read_units(0, consistent=consistent))

    def _queried(self, params: Item, parsed: Item) -> None:
        if "FilterExpression" in params:
            raise ValueError("What a filter leaves out is charged too, and not known here.")
        size = sum(map(item_size, parsed["Items"]))
        self._read(params["TableName"], read_units(size, consistent=params.get("ConsistentRead", False)))

    def _read(self, table: str, units: float) -> None:
        self.reads[table] = self.reads.get(table, 0.0) + units

    def _put(self, params: Item, parsed: Item) -> None:
        """A put whose condition does not hold costs as much as one whose condition does, and leaves no row.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
        """
        if "Error" in parsed:
            self.writes[params["TableName"]] += write_units(item_size(params["Item"]))
        else:
            self._wrote(params["TableName"], params["Item"])

    def _wrote(self, table: str, item: Item, times: int = 1) -> None:
        size = item_size(item)
        projected = sum(key in item for key in self.indexes.get(table, ()))
        self.writes[table] += times * write_units(size)
        self.projections[table] += projected * write_units(size)
        self.stored_bytes[table] += size + BYTES_A_ROW
        self.stored_bytes[INDEXES] += projected * (size + BYTES_A_ROW)

    def _updated(self, params: Item, _: Item) -> None:
        """Rows that are written again are as long as what is written, or a little longer."""
        self.writes[params["TableName"]] += write_units(item_size({**params["Key"], **_values(params)}))

    def _batch_wrote(self, params: Item, _: Item) -> None:
        for table, requests in params["RequestItems"].items():
            for request in requests:
                self._wrote(table, request["PutRequest"]["Item"])

    def _wrote_together(self, params: Item, _: Item) -> None:
        """Each write of a transaction costs twice; rows that are written again only grow."""
        for action in params["TransactItems"]:
            [(kind, write)] = action.items()
            if kind == "Put":
                self._wrote(write["TableName"], write["Item"], times=2)
            else:
                size = item_size({**write["Key"], **_values(write)})
                self.writes[write["TableName"]] += 2 * write_units(size)

    def _stored(self, params: Item, _: Item) -> None:
        body = params["Body"]
        self.stored_bytes[S3] += len(body) if isinstance(body, bytes) else body.seek(0, SEEK_END)

    def _sent(self, entries: Sequence[Item]) -> None:
        """SQS counts a request for each 64 KB."""
        size = sum(len(entry["MessageBody"].encode()) for entry in entries)
        self.sqs_requests += max(1, ceil(size / (64 * KIB)))


def _values(update: Item) -> Item:
    values: Item = update["ExpressionAttributeValues"]
    return values
