"""Log shippers, with the retries that their sources say, deliver each event once over a road that loses answers.

At full size each sends 100,000 events, in chunks as it is configured (Fluent Bit's have 2 MB) and in the largest that a
request takes.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
import urllib3

from chalicelib.aws import keys
from chalicelib.events.event import event_id_of
from embedded.client import Api
from tests.e2e.deployed import Deployed
from tests.shippers.configured import CONFIGURED, cloudevents_sdk, fluent_bit
from tests.shippers.delivery import FaultyRoad, Road, deliver
from tests.shippers.log_lines import Log, log_of, too_long
from tests.shippers.models import Answer, FluentBit, Shipper, Verdict, chunks
from tests.shippers.table import ROWS, Row
from tests.sizes import is_full, times

pytestmark = pytest.mark.sized

SOURCE = "shop/checkout"
LINES = 100_000 if is_full() else times(500)
SCALE = LINES / 100_000
FAULTS = 22
"""A seed with which the first answer is lost and the next request refused, however few requests there are."""

NDJSON = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}


@dataclass(frozen=True)
class Ingest:
    """POST /ingest of a deployed stage, as a shipper sees it."""

    deployed: Deployed
    query: dict[str, str] = field(default_factory=dict)
    timeout: float = 60.0

    def __call__(self, chunk: bytes) -> Answer:
        """Post one chunk of NDJSON."""
        api = Api(self.deployed.stack, timeout=self.timeout)
        answer = api.call("POST", "/ingest", query=self.query, body=gzip.compress(chunk, 1), headers=NDJSON)
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
        return Answer(answer.status, head + len(answer.data))


def stored_ids(deployed: Deployed, log: Log) -> Counter[str]:
    """How many index rows each event of a log has."""
    found = Counter(event for entity in log.entities for event in events_of(deployed, entity))
    return Counter({key: found[event_id_of(SOURCE, key, "")] for key in log.ids})


def events_of(deployed: Deployed, entity: str) -> Iterator[str]:
    """The ids of an entity's index rows, as a scan of the table takes minutes at full size."""
    pages = deployed.admin.dynamodb.get_paginator("query").paginate(
        TableName=deployed.stack.events_table,
        KeyConditionExpression="PK = :entity",
        ExpressionAttributeValues={":entity": {"S": keys.entity(entity)}},
        ConsistentRead=True,
    )
    return (row["event_id"]["S"] for page in pages for row in page["Items"])


def quarantined(deployed: Deployed) -> list[str]:
    """The bodies that quarantine keeps."""
    s3, bucket = deployed.admin.s3, deployed.stack.raw_bucket
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="rejected/")
    names = [kept["Key"] for page in pages for kept in page.get("Contents", [])]
    rejections = [json.loads(s3.get_object(Bucket=bucket, Key=name)["Body"].read()) for name in names]
    return [rejection.get("body", "") for rejection in rejections]


def is_delivered(deployed: Deployed, log: Log, events: Sequence[bytes]) -> bool:
    """Whether each event is stored, and each refused line is in quarantine."""
    kept = {same(event) for body in quarantined(deployed) for event in events_in(body)}
    refused = sum(same(json.loads(event)) in kept for event in events)
    return refused >= log.refused and 0 not in stored_ids(deployed, log).values()


def events_in(body: str) -> Iterator[Any]:
    """The events of a body in quarantine: one, an array, or one a line."""
    for line in body.splitlines():
        with suppress(ValueError):
            found = json.loads(line)
            yield from found if isinstance(found, list) else [found]


def same(event: Any) -> str:
    """A text that is equal for equal events."""
    return json.dumps(event, sort_keys=True)


@pytest.mark.parametrize(("name", "chunk_bytes"), [*((name, None) for name in CONFIGURED), ("Vector", 9_800_000)])
def test_a_shipper_delivers_each_event_once_though_answers_are_lost_and_requests_refused(
    deployed: Deployed, name: str, chunk_bytes: int | None
) -> None:
    configured, log = CONFIGURED[name](), log_of(f"log of {name}, {chunk_bytes}", LINES)
    events = list(map(configured.event, log.lines))
    road = FaultyRoad(Ingest(deployed), Random(FAULTS))

    sent = chunks(events, int((chunk_bytes or configured.chunk_bytes) * SCALE), configured.size)
    account = deliver(configured.shipper, sent, road)

    print(f"{name}: {account.chunks} chunks, {account.attempts} attempts, {road.faults}, {road.answers}")  # noqa: T201
    assert (account.dropped, account.endless) == ([], [])
    assert is_delivered(deployed, log, events), "lost"
    assert set(stored_ids(deployed, log).values()) == {1}, "stored twice"
    assert road.faults.keys() == {"lost", "503"}
    assert account.attempts == account.chunks + road.faults.total() + road.answers[503], "repeated without a reason"


def test_the_sdk_example_delivers_each_event_once_though_answers_are_lost_and_requests_refused(
    deployed: Deployed,
) -> None:
    program, log = cloudevents_sdk(), log_of("CloudEvents SDK", LINES, too_long)
    road = FaultyRoad(lambda batch: Answer(answered(batch).status), Random(FAULTS))
    headers = {"Content-Type": program.BATCH}

    def answered(batch: bytes) -> urllib3.BaseHTTPResponse:
        return deployed.api.call("POST", "/ingest", body=batch, headers=headers)

    def post(batch: bytes) -> urllib3.BaseHTTPResponse:
        if (answer := road(batch)) is None:
            raise urllib3.exceptions.ProtocolError
        return urllib3.HTTPResponse(b"", status=answer.status)

    events = list(map(program.event, log.lines))
    for start in range(0, LINES, LINES // 20):
        program.Sender(post, sleep=lambda _: None).send(events[start : start + LINES // 20])

    assert road.faults.keys() == {"lost", "503"}
    assert is_delivered(deployed, log, events)
    assert set(stored_ids(deployed, log).values()) == {1}


def hung_up(deployed: Deployed) -> Road:
    """A stage whose answer does not arrive."""
    return FaultyRoad(Ingest(deployed), Random(0), refused=0, lost=1)


def hurried(deployed: Deployed) -> Road:
    """A client that does not wait for the answer, and does not look at one that is faster."""

    def road(chunk: bytes) -> Answer | None:
        with suppress(urllib3.exceptions.TimeoutError):
            Ingest(deployed, timeout=0.02)(chunk)
        return None

    return road


FIRST: dict[str, Callable[[Deployed], Road]] = {
    "200": Ingest,
    "207": lambda deployed: Ingest(deployed, {"strict": "true"}),
    "400": lambda deployed: Ingest(deployed, {"strict": "true"}),
    "413": Ingest,
    "429": lambda _: lambda _: Answer(429),  # API Gateway's own, as the emulator throttles nobody
    "503": lambda _: lambda _: Answer(503),
    "none: connection lost": hung_up,
    "none: timeout": hurried,
}
"""How each answer of the table comes about."""

ADDED = {"413": b"x" * 11_000_000}
"""A line more, with which the answer is the one of the table."""


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_after_each_answer_of_the_table_is_stored_what_the_table_says(deployed: Deployed, row: Row) -> None:
    expected = [answered_first(row, name, deployed) for name in CONFIGURED]

    kept = "".join(quarantined(deployed))
    assert [set(stored_ids(deployed, log).values()) for log, _ in expected] == [{stored} for _, stored in expected]
    assert [not_json(name, row) in kept for name in CONFIGURED] == [row.name != "413"] * len(CONFIGURED)


def answered_first(row: Row, name: str, deployed: Deployed) -> tuple[Log, int]:
    """A shipper gets this answer first; return its log, and how often each event is stored by the table."""
    configured, log = CONFIGURED[name](), log_of(f"{name} after {row.name}", 30)
    invalid = not_json(name, row).encode()
    lines = [invalid] if row.name == "400" else [*log.lines, invalid, ADDED.get(row.name, b"")]
    first, answers = FIRST[row.name](deployed), list[Answer | None]()

    def road(chunk: bytes) -> Answer | None:
        answers.append((Ingest(deployed) if answers else first)(chunk))
        return answers[-1]

    deliver(configured.shipper, [b"\n".join(map(configured.event, lines))], road)

    retries = configured.shipper.verdict(row.answer) is Verdict.RETRIES
    assert [answer and answer.status for answer in answers] == [row.answer and row.answer.status, *[200] * retries]
    return log, 1 if retries or not row.stored.startswith("nothing") else 0


def not_json(name: str, row: Row) -> str:
    """A line that makes no event."""
    return f"{name} after {row.name}: no JSON"


@pytest.mark.parametrize("shipper", [FluentBit(), fluent_bit().shipper], ids=["defaults", "as configured"])
def test_with_strict_statuses_fluent_bit_never_gets_rid_of_a_chunk_with_a_refused_event(
    deployed: Deployed, shipper: Shipper
) -> None:
    sent = [b"\n".join(map(fluent_bit().event, [*log_of("strict", 5).lines, b"no JSON"]))]

    under_strict, under_default = (
        deliver(shipper, sent, Ingest(deployed, query)) for query in ({"strict": "true"}, {})
    )

    assert under_strict.dropped + under_strict.endless == sent
    assert under_default.dropped + under_default.endless == []
    assert under_default.attempts == 1


def test_with_format_json_fluent_bit_delivers_each_event_once_too(deployed: Deployed) -> None:
    log = log_of("format json", 100)
    events = list(map(fluent_bit().event, log.lines))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(b"[" + b",".join(events) + b"]")

    answers = [deployed.api.call("POST", "/ingest", body=body, headers=headers) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert [int(answer.headers["Retrace-Refused"]) for answer in answers] == [log.refused] * 2
    assert set(stored_ids(deployed, log).values()) == {1}


def test_a_batch_with_hundreds_of_refused_events_has_an_answer_that_fits_fluent_bit(deployed: Deployed) -> None:
    refused = b"\n".join(b'{"source": "shop/checkout", "n": %d}' % number for number in range(900))

    answers = [Ingest(deployed, query)(refused) for query in ({}, {"results": "all"})]

    assert [answer.status for answer in answers] == [200, 200]
    assert [FluentBit().verdict(answer) for answer in answers] == [Verdict.DONE, Verdict.RETRIES]
