"""Measure how long the contenders take for a page of an entity's events, however many more it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bench.contenders import Contender
from bench.rounds import Load, alternating, percentile, timed
from chalicelib.core.pagination import chunked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

PAGE = 100
QUESTIONS = 20
ROWS_A_WRITE = 25


@dataclass(frozen=True, slots=True)
class Asked:
    """How long a page took of an entity with so many events, in milliseconds."""

    partition: int
    p50: Mapping[str, float]


def asked(contenders: Sequence[Contender], partition: int) -> Asked:
    """Let all answer for an entity that has so many events."""
    entity = f"entity-of-{partition}"
    loads: dict[str, list[Load]] = defaultdict(list)
    for contender in contenders:
        puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": row}} for row in _rows(contender, entity, partition)]
        for some in chunked(puts, ROWS_A_WRITE):
            contender.admin.dynamodb.batch_write_item(RequestItems={contender.events_table: some})

    def ask(contender: Contender, _: int) -> float:
        loads[contender.name].append(timed(partial(_page, contender), [entity] * QUESTIONS, 1, clients=1))
        return loads[contender.name][-1].a_second

    alternating(f"pages of {partition}", {each.name: partial(ask, each) for each in contenders})
    return Asked(partition, {name: percentile(each, 50) for name, each in loads.items()})


def _page(contender: Contender, entity_id: str) -> None:
    if len(contender.call("GET", "/events", entity_id=entity_id, limit=str(PAGE))["items"]) != PAGE:
        raise RuntimeError(f"{contender.name} did not find the events of {entity_id}.")


def _rows(contender: Contender, entity_id: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of an entity, like one that the contender has written itself."""
    row = next(contender.rows(contender.events_table))
    for number in range(count):
        event_id = sha256(f"{entity_id}-{number}".encode()).hexdigest()
        sort_key = row["SK"]["S"].replace(row["event_id"]["S"], event_id)
        named = {"PK": contender.partition(entity_id), "SK": sort_key, "event_id": event_id}
        yield {**row, **{name: {"S": value} for name, value in named.items()}}
