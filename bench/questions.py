"""Measure how long the sides take for a page of an entity's events, however many more it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bench.clients import Load, percentile, timed
from bench.rounds import alternating
from bench.sides import Side, items
from chalicelib.domain.chunks import chunked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

PARTITIONS = (100, 1_000, 10_000)
PAGE = 100
QUESTIONS = 20
ROWS_A_WRITE = 25

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """How long a page took of an entity with so many events, in milliseconds."""

    partition: int
    p50: Mapping[str, float]


def asked(sides: Sequence[Side], partition: int) -> Asked:
    """Let all sides answer for an entity that has so many events."""
    entity = f"entity-of-{partition}"
    loads: dict[str, list[Load]] = {side.name: [] for side in sides}
    for side in sides:
        fill(side, side.events_table, more_like_one(side, entity, partition))

    def ask(side: Side, _: int) -> float:
        loads[side.name].append(timed(partial(_page, side), [entity] * QUESTIONS, 1, clients=1))
        return loads[side.name][-1].a_second

    alternating({side.name: partial(ask, side) for side in sides})
    return Asked(partition, {name: percentile(each, 50) for name, each in loads.items()})


def _page(side: Side, entity_id: str) -> None:
    if side.page(entity_id, PAGE) != PAGE:
        raise RuntimeError(f"{side.name} did not find the events of {entity_id}.")


def more_like_one(side: Side, entity_id: str, count: int) -> Iterator[Item]:
    """Rows of an entity, like one that the side has written itself."""
    row = next(items(side.admin, side.events_table))
    for number in range(count):
        event_id = sha256(f"{entity_id}-{number}".encode()).hexdigest()
        sort_key = row["SK"]["S"].replace(row["event_id"]["S"], event_id)
        named = {"PK": side.partition(entity_id), "SK": sort_key, "event_id": event_id}
        yield {**row, **{name: {"S": value} for name, value in named.items()}}


def fill(side: Side, table: str, rows: Iterator[Item]) -> None:
    """Put rows into a table past the side."""
    puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": row}} for row in rows]
    for some in chunked(puts, ROWS_A_WRITE):
        side.admin.dynamodb.batch_write_item(RequestItems={table: some})
