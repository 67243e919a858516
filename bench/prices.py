"""What AWS charges in us-east-1, in dollars, and its quotas: as the sources in bench/cost.md and bench/scale.md say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from chalicelib.replays.estimate import Takes

KIB = 1024
BYTES_A_ROW = 100
"""Charged for storage beside an item's own size, as the page on item sizes says."""

MILLION = 1_000_000
_SOURCES = "".join(Path(__file__).with_name(page).read_text() for page in ("cost.md", "scale.md"))


def _figure(of: str) -> float:
    """The number that the row about this begins with, of one: a million of them may have the price."""
    [(number, many)] = re.findall(rf"^\| \$?([\d.,]+)(?: a (million|thousand))? {of}", _SOURCES, re.MULTILINE)
    return float(number.replace(",", "")) / {"": 1, "thousand": 1_000, "million": MILLION}[many]


WRITE_UNIT = _figure("write request units")
READ_UNIT = _figure("read request units")
STORED_GB_MONTH = _figure("a GB-month of table storage")
RECOVERY_GB_MONTH = _figure("a GB-month of point-in-time recovery")
SQS_REQUEST = _figure("requests to standard queues")
FIFO_REQUEST = _figure("requests to FIFO queues")
S3_GET = _figure(r"GET requests \|")
S3_PUT = _figure("PUT requests")
S3_GB_MONTH = _figure("a GB-month in S3 Standard")
LAMBDA_REQUEST = _figure(r"invocations \|")
LAMBDA_GB_SECOND = _figure("a GB-second, x86")
API_REQUEST = _figure("requests to REST APIs")
BUS_EVENT = _figure("custom events")
REPLAYED_EVENT = _figure("replayed events")
ARCHIVED_GB = _figure("a GB that is archived")
ARCHIVE_GB_MONTH = _figure("a GB-month in an archive")

TABLE_UNITS = _figure("write and 40,000 read units a second on each table")
PARTITION_WRITES = _figure("write units a second on a partition")
PARTITION_READS = _figure("read units a second on a partition")
NEW_TABLE_WRITES = _figure("write units a second on a new table")
SQS_IN_FLIGHT = _figure("messages of a queue received and not deleted")
SQS_BATCH = _figure(r"messages in a batch \|")
S3_PREFIX_GETS = _figure("GET requests a second on a partitioned prefix")
ACCOUNT_CONCURRENCY = _figure("invocations of all functions at once")

Dollars = Mapping[str, float]
"""Of one event, by service."""

API, WRITES, READS, SQS, S3 = "API Gateway", "DynamoDB writes", "DynamoDB reads", "SQS", "S3"
LAMBDA, EVENTBRIDGE = "Lambda", "EventBridge"
CHARGED: Mapping[str, Mapping[str, float]] = {
    API: {"api_requests": API_REQUEST},
    WRITES: {"write_units": WRITE_UNIT},
    READS: {"read_units": READ_UNIT},
    SQS: {"sqs_requests": SQS_REQUEST, "fifo_requests": FIFO_REQUEST},
    S3: {"gets": S3_GET},
    LAMBDA: {"invocations": LAMBDA_REQUEST, "gb_seconds": LAMBDA_GB_SECOND},
    EVENTBRIDGE: {"bus_events": BUS_EVENT},
}
"""What each service charges for."""


def dollars(takes: Takes) -> Dollars:
    """What is charged for what an event or a message takes, by service."""
    of = asdict(takes)
    return {service: sum(of[name] * price for name, price in each.items()) for service, each in CHARGED.items()}
