"""Count AWS calls, and what DynamoDB, SQS, EventBridge and S3 charge for each, by the rules that AWS publishes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from io import SEEK_END
from math import ceil
from typing import Any

from botocore.client import BaseClient

from bench.prices import BYTES_A_ROW, KIB
from chalicelib.replays.estimate import Takes
from chalicelib.replays.eventbridge import size_of

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
    """A unit for each four KB begun, half of that if an older answer will do. A row that is not there costs one."""
    return max(1, ceil(size / (4 * KIB))) * (1.0 if consistent else 0.5)


@dataclass
class Cost:
    """What some events took: AWS calls, DynamoDB's units by table, what SQS and buses charge for, bytes that stay."""

    events: int
    calls: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    projections: int = 0
    reads: defaultdict[str, float] = field(default_factory=partial(defaultdict, float))
    sqs_requests: int = 0
    stored_bytes: Counter[str] = field(default_factory=Counter)
    """Of rows that are put, with what is charged beside them."""
    bus_events: int = 0

    def each(self, count: float | Mapping[str, float]) -> float:
        """A count, or the sum of several, for one event."""
        return (sum(count.values()) if isinstance(count, Mapping) else count) / self.events

    @property
    def units(self) -> tuple[float, float, float]:
        """Write units, those of indexes and read units, for one event."""
        return self.each(self.writes), self.each(self.projections), self.each(self.reads)

    def takes(self) -> Takes:
        """What one event takes of what is counted here."""
        return Takes(
            write_units=sum(self.units[:2]),
            read_units=self.units[2],
            sqs_requests=self.each(self.sqs_requests),
            bus_events=self.each(self.bus_events),
            gets=self.each(self.calls.get("GetObject", 0)),
        )

    @property
    def s3_bytes(self) -> float:
        """Bytes of an event in S3."""
        return self.each(self.stored_bytes.get(S3, 0))

    @property
    def index_bytes(self) -> float:
        """Bytes of an event in indexes, with those that are charged beside them."""
        return self.each(self.stored_bytes.get(INDEXES, 0))

    @property
    def table_bytes(self) -> float:
        """Bytes of an event in tables, with those that are charged beside them."""
        return self.each(self.stored_bytes) - self.s3_bytes - self.index_bytes


def together(*parts: Takes) -> Takes:
    """What several parts of the work take."""
    return Takes(*map(sum, zip(*map(astuple, parts), strict=True)))


class Meter:
    """What was asked of AWS since it was set to zero.

    `indexes` are the partition keys of a table's indexes, all of which hold whole rows. They are written after the
    transaction, and cost once: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    """

    def __init__(self, indexes: Mapping[str, Sequence[str]]) -> None:
        self._indexes, self._cost = indexes, Cost(0)

    def measured(self, events: int, work: Callable[[], int]) -> Cost:
        """Count what work takes that has to do with this many events, and says with how many it did."""
        self._cost = cost = Cost(events)
        done = work()
        self._cost = Cost(0)  # calls from now on are of no work that is measured
        if done != events:
            raise RuntimeError(f"{done} of {events} events were counted.")
        return cost

    def attach(self, client: BaseClient) -> None:
        """Count the calls of a client."""
        events: Any = client.meta.events  # the stubs are stricter than the handlers
        service = client.meta.service_model.service_id.hyphenize()
        events.register(f"before-parameter-build.{service}", self.asked)
        events.register_first(f"after-call.{service}", self.answered)

    def asked(self, params: Item, context: dict[str, Any], **_: Any) -> None:
        """A handler for what a client is asked to call."""
        context["metered"] = params

    def answered(self, parsed: Item, model: Any, context: dict[str, Any], **_: Any) -> None:
        """A handler for the answer, to be called before others make something else of it."""
        asked: Item = context["metered"]
        self._cost.calls[model.name] += 1
        match model.name:
            case "GetObject":
                pass
            case "PutObject":
                body = asked["Body"]
                self._cost.stored_bytes[S3] += len(body) if isinstance(body, bytes) else body.seek(0, SEEK_END)
            case "SendMessage" | "SendMessageBatch":
                self._sent(asked.get("Entries", [asked]))
            case "PutEvents":
                self._cost.bus_events += sum(ceil(size_of(entry) / (64 * KIB)) for entry in asked["Entries"])
            case "BatchGetItem":
                for table, wanted in asked["RequestItems"].items():
                    self._got(table, wanted, parsed["Responses"].get(table, []))
            case "Query":
                self._queried(asked, parsed)
            case operation:
                self._written(operation, asked, parsed)

    def _written(self, operation: str, asked: Item, parsed: Item) -> None:
        match operation:
            case "PutItem":
                self._put(asked, parsed)
            case "UpdateItem":
                self._updated(asked)
            case "BatchWriteItem":
                for table, requests in asked["RequestItems"].items():
                    for request in requests:
                        self._wrote(table, request["PutRequest"]["Item"])
            case "TransactWriteItems":
                self._wrote_together(asked["TransactItems"])
            case _:
                raise ValueError(f"It is not known what {operation} costs.")

    def _got(self, table: str, wanted: Item, found: Sequence[Item]) -> None:
        consistent = wanted.get("ConsistentRead", False)
        sizes = [*map(item_size, found), *[0] * (len(wanted["Keys"]) - len(found))]
        self._cost.reads[table] += sum(read_units(size, consistent=consistent) for size in sizes)

    def _queried(self, asked: Item, parsed: Item) -> None:
        if "FilterExpression" in asked:
            raise ValueError("What a filter leaves out is charged too, and not known here.")
        size = sum(map(item_size, parsed["Items"]))
        self._cost.reads[asked["TableName"]] += read_units(size, consistent=asked.get("ConsistentRead", False))

    def _put(self, asked: Item, parsed: Item) -> None:
        """A put whose condition does not hold costs as much as one whose condition does, and leaves no row.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
        """
        if "Error" in parsed:
            self._cost.writes[asked["TableName"]] += write_units(item_size(asked["Item"]))
        else:
            self._wrote(asked["TableName"], asked["Item"])

    def _wrote(self, table: str, item: Item, times: int = 1) -> None:
        size = item_size(item)
        projected = sum(key in item for key in self._indexes.get(table, ()))
        self._cost.writes[table] += times * write_units(size)
        self._cost.projections += projected * write_units(size)
        self._cost.stored_bytes[table] += size + BYTES_A_ROW
        self._cost.stored_bytes[INDEXES] += projected * (size + BYTES_A_ROW)

    def _updated(self, update: Item, times: int = 1) -> None:
        """Rows that are written again are as long as what is written, or a little longer."""
        size = item_size({**update["Key"], **update["ExpressionAttributeValues"]})
        self._cost.writes[update["TableName"]] += times * write_units(size)

    def _wrote_together(self, actions: Sequence[Item]) -> None:
        """Each write of a transaction costs twice."""
        for action in actions:
            [(kind, write)] = action.items()
            if kind == "Put":
                self._wrote(write["TableName"], write["Item"], times=2)
            else:
                self._updated(write, times=2)

    def _sent(self, entries: Sequence[Item]) -> None:
        """SQS counts a request for each 64 KB."""
        size = sum(len(entry["MessageBody"].encode()) for entry in entries)
        self._cost.sqs_requests += max(1, ceil(size / (64 * KIB)))
