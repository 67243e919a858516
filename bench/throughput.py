"""Measure the contenders at the same work in turns: taking events in, sending and processing replays, and queries."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bench.contenders import IN_FLIGHT, Contender, until
from bench.lambda_events import delivered
from bench.orders import bodies
from bench.rounds import ROUNDS, Load, Rates, alternating, require_equal, timed
from chalicelib.core.pagination import chunked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

BATCH = 100
DELIVERIES = 5
PAGE = 100
QUESTIONS = 20
ROWS_A_WRITE = 25

Process = Callable[[Contender], float]
"""Lets a contender process the messages of its queue, and says for how many seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """So many requests of so many events each, from so many clients at once, in each round."""

    size: int
    clients: int
    requests: int
    contenders: int = 3
    """How many take part, the fastest first: a loop over many events may outlast a request."""

    far: bool = False
    """Whether AWS is far away meanwhile."""

    @property
    def event_type(self) -> str:
        """The type of its events, by which they are found again."""
        return f"order.of-{self.size}-by-{self.clients}{'-far' * self.far}"

    @property
    def events(self) -> int:
        """How many events all rounds have."""
        return self.size * self.requests * ROUNDS

    def bodies(self, number: int) -> Sequence[bytes]:
        """The requests of a round."""
        return list(bodies(self.event_type, number * self.size * self.requests, self.size, self.requests))


def ingested(scenario: Scenario, contenders: Sequence[Contender]) -> Rates:
    """Let all take the events of a scenario in."""

    def take_in(contender: Contender, number: int) -> Load:
        return contender.take_in(scenario.bodies(number), scenario.size, scenario.clients)

    measures = {each.name: partial(take_in, each) for each in contenders[: scenario.contenders]}
    return alternating(f"{scenario.event_type} taken in", measures)


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events a second were sent and processed."""

    scenario: Scenario
    sending: Rates
    processing: Rates


def replayed(scenario: Scenario, contenders: Sequence[Contender], process: Process) -> Replayed:
    """Let all replay what they took in, first all of it sent to a queue that is not read, then all of it processed."""
    events, processing = scenario.events, Rates()

    def replay(contender: Contender, _: int) -> Load:
        contender.listen(enabled=False)
        begun = time.perf_counter()
        replay_id = contender.replay(scenario.event_type)
        until(lambda: contender.messages() >= events, f"{contender.name} had sent its messages")
        sent = Load(events, time.perf_counter() - begun)
        require_equal({"sent": contender.messages(), "taken in": events}, contender.name)
        before = contender.counted(replay_id)
        processing.add(contender.name, Load(events, process(contender)))
        until(lambda: contender.counted(replay_id) - before >= events, f"{contender.name} had counted its messages")
        require_equal({"counted": contender.counted(replay_id) - before, "taken in": events}, contender.name)
        return sent

    measures = {each.name: partial(replay, each) for each in contenders}
    return Replayed(scenario, alternating(f"{scenario.event_type} sent", measures), processing)


def from_the_queue(contender: Contender) -> float:
    """Process as the emulator delivers: tens, to five functions at once.

    The clock starts with the first message: the emulator looks at a queue that it is to listen to up to a second later.
    """
    contender.listen(enabled=True)
    until(lambda: contender.messages(IN_FLIGHT) > 0 or contender.messages() == 0, f"{contender.name} had begun")
    return until(lambda: contender.messages() == 0, f"{contender.name} had processed its messages")


def in_hundreds(at_once: int, contender: Contender) -> float:
    """Process in batches of a hundred, as the package asks for on AWS: the bench hands them to so many functions."""
    batches = list(chunked(delivered(list(_received(contender))), BATCH))
    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(partial(_invoke, contender), batches))
    seconds = time.perf_counter() - begun
    contender.admin.sqs.purge_queue(QueueUrl=contender.queue_url)
    return seconds


def _received(contender: Contender) -> Iterator[Any]:
    """All messages of a queue."""
    receive = partial(contender.admin.sqs.receive_message, QueueUrl=contender.queue_url, MaxNumberOfMessages=10)
    while messages := receive().get("Messages", []):
        yield from messages


def _invoke(contender: Contender, records: Sequence[Mapping[str, Any]]) -> None:
    """Deliver a batch, and what of it failed once more, as others were writing the same."""
    pending = list(records)
    for _ in range(DELIVERIES):
        payload = json.dumps({"Records": pending}).encode()
        answer = contender.admin.functions.invoke(FunctionName=contender.listener["FunctionArn"], Payload=payload)
        said = json.loads(answer["Payload"].read()) or {}
        if answer.get("FunctionError"):
            raise RuntimeError(f"{contender.name} did not process its messages: {said}")
        failed = {each["itemIdentifier"] for each in said.get("batchItemFailures", [])}
        pending = [record for record in pending if record["messageId"] in failed]
        if not pending:
            return
    raise RuntimeError(f"{contender.name} did not process {len(pending)} messages.")


def asked(contenders: Sequence[Contender], partition: int) -> Rates:
    """Let all answer for an entity that has so many events."""
    entity = f"entity-of-{partition}"
    for contender in contenders:
        puts: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": row}} for row in _rows(contender, entity, partition)]
        for some in chunked(puts, ROWS_A_WRITE):
            contender.admin.dynamodb.batch_write_item(RequestItems={contender.events_table: some})

    def ask(contender: Contender, _: int) -> Load:
        return timed(partial(_page, contender), [entity] * QUESTIONS, 1, clients=1)

    return alternating(f"pages of {partition}", {each.name: partial(ask, each) for each in contenders})


def _page(contender: Contender, entity_id: str) -> None:
    if len(contender.call("GET", "/events", entity_id=entity_id, limit=str(PAGE))["items"]) != PAGE:
        raise RuntimeError(f"{contender.name} did not find the events of {entity_id}.")


def _rows(contender: Contender, entity_id: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of an entity, like one that the contender has written itself."""
    row = next(contender.index_rows())
    partition = re.sub(r"order-\d+", entity_id, row["PK"]["S"])
    for number in range(count):
        event_id = sha256(f"{entity_id}-{number}".encode()).hexdigest()
        sort_key = row["SK"]["S"].replace(row["event_id"]["S"], event_id)
        named = {"PK": partition, "SK": sort_key, "event_id": event_id}
        yield {**row, **{name: {"S": value} for name, value in named.items()}}
