"""Which rights each function has: the one place that says so.

infra/roles.py makes of it the roles of the packaged template, and the policies that `chalice deploy` gives its roles.
What is common to keys of the bucket is the prefix that the function works under. Keys of tables are what their
partitions begin with (chalicelib/aws/keys.py, replay_keys.py). A transaction needs the right of each action in it, and
none of its own: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EVERYTHING = "*"


@dataclass(frozen=True)
class Right:
    """Actions of one service on resources, by their names in infra/resources.yaml and what follows in their ARNs.

    `listing` is the prefix below which objects may be listed, `keys` what partition keys must be like, and `together`
    says that a write must be part of a transaction. If the resource is a
    parameter, such as KmsKeyArn, and empty, no role gets the right.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    listing: str = ""
    keys: tuple[str, ...] = ()
    together: bool = False
    by_way_of: tuple[str, ...] = ()


def _receive(sid: str, queue: str) -> Right:
    return Right(sid, ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), (queue,))


# Asked for `*`, as X-Ray knows no resources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
_TRACE = Right("Trace", ("xray:PutTraceSegments", "xray:PutTelemetryRecords"), (EVERYTHING,))

# Where the stage has a key of its own. The services call KMS for the function, with the function's rights.
_USE_KEY = Right("UseKey", ("kms:Decrypt", "kms:GenerateDataKey"), ("KmsKeyArn",), by_way_of=("s3", "sqs", "dynamodb"))

_READ_RAW = Right("ReadRawEvents", ("s3:GetObject",), ("RawBucket/raw/*",))
# No function lists these: S3 answers 404 and not 403 for a missing object to callers that may list it.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions"
_TELL_MISSING = Right("TellMissingRawEvents", ("s3:ListBucket",), ("RawBucket",), listing="raw/*")
_READ_EVENTS_FILES = Right("ReadEventsFiles", ("s3:GetObject",), ("RawBucket/events-files/*",))
_FIND_EVENTS_FILES = Right("FindEventsFiles", ("s3:ListBucket",), ("RawBucket",), listing="events-files/*")
_LIST_REFUSED = Right("ListWhatWasRefused", ("s3:ListBucket",), ("RawBucket",), listing="rejected/*")

_EVENTS = ("ENTITY#*", "EVENT#*")
_SOURCES = ("SOURCES",)
_MESSAGES = ("ENTITY#*#P1D#*#VER#*",)
"""What became of the messages of a version: never the version itself, whose partition is that of its entity."""

_KEPT = ("TOTALS#*", "VALUES#*")
_REPLAYS = ("REPLAY#*",)
_SENT = ("REPLAY#*#SENT#*",)
_SENT_EVENTS = ("DESTINATION#*#SENT#*",)
_METRICS = ("METRIC#*",)
_COUNT_PROGRESS = Right("CountProgress", ("dynamodb:UpdateItem",), ("ReplaysTable",), keys=_REPLAYS, together=True)
_READ_STATES = Right("ReadStates", ("dynamodb:BatchGetItem",), ("ReplaysTable",), keys=(*_REPLAYS, *_METRICS))
_READ_RECORDED = Right("ReadWhatIsRecorded", ("dynamodb:BatchGetItem",), ("AggregatesTable",), keys=("ENTITY#*",))


def _record(*keys: str) -> Right:
    return Right("RecordOutcomes", ("dynamodb:PutItem",), ("AggregatesTable",), keys=keys, together=True)


# Those of a stage that declares none. infra/destinations.py has the right of all others.
SEND_TO_DESTINATIONS = Right("SendToDestinations", ("sqs:SendMessage",), ("ReplayQueue",))
PUT_ON_BUSES = Right("PutOnBuses", ("events:PutEvents",), ())
TAKE_BACK_FROM_CONSUMERS = Right(
    "TakeBackFromConsumers", ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"), ()
)

_COMMON = (_USE_KEY, _TRACE)

RIGHTS: Mapping[str, tuple[Right, ...]] = {
    # Takes events in, and refused ones again. It reads objects: where an earlier attempt wrote one, its ingest_time
    # counts, and a retry reads what was refused.
    "ingest": (
        Right("KeepEvents", ("s3:PutObject", "s3:GetObject"), ("RawBucket/raw/*", "RawBucket/rejected/*")),
        _LIST_REFUSED,
        Right("IndexEvents", ("dynamodb:PutItem",), ("EventsTable",), keys=("ENTITY#*",), together=True),
        Right("IdentifyEvents", ("dynamodb:PutItem",), ("DedupeTable",), together=True),
        Right("RecordArrivals", ("dynamodb:BatchWriteItem",), ("EventsTable",), keys=("EVENT#*",)),
        Right("RecordSources", ("dynamodb:BatchGetItem", "dynamodb:PutItem"), ("EventsTable",), keys=_SOURCES),
        Right("LookEventsUp", ("dynamodb:BatchGetItem",), ("DedupeTable",)),
        Right("ReadWebhookSecret", ("secretsmanager:GetSecretValue",), ("WebhookSecretArn",)),
        *_COMMON,
    ),
    # Answers questions, starts replays, defines metrics, keeps totals and values, and records reports. It writes
    # no event and no version.
    "api": (
        Right("ReadEvents", ("s3:GetObject",), ("RawBucket/raw/*", "RawBucket/rejected/*")),
        _LIST_REFUSED,
        _TELL_MISSING,
        # What it signs for a client has the function's rights: one upload, as chalicelib/replays/s3.py says.
        Right("KeepEventsFiles", ("s3:PutObject", "s3:GetObject"), ("RawBucket/events-files/*",)),
        _FIND_EVENTS_FILES,
        Right("FindEvents", ("dynamodb:Query",), ("EventsTable",), keys=(*_EVENTS, *_SOURCES)),
        Right(
            "FindEventsByIndex",
            ("dynamodb:Query",),
            ("EventsTable/index/by-type-and-day", "EventsTable/index/late-arrivals"),
        ),
        Right("LookEventsUp", ("dynamodb:BatchGetItem",), ("DedupeTable",)),
        Right(
            "KeepReplayJobs",
            ("dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"),
            ("ReplaysTable",),
            keys=(*_REPLAYS, "KEY#*"),
        ),
        Right("KeepMetrics", ("dynamodb:PutItem",), ("ReplaysTable",), keys=_METRICS, together=True),
        Right(
            "FindMetrics",
            ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"),
            ("ReplaysTable",),
            keys=_METRICS,
        ),
        Right("RecordChangesOfMetrics", ("s3:PutObject", "s3:GetObject"), ("RawBucket/metrics/*",)),
        Right("OrderReplayJobs", ("dynamodb:UpdateItem",), ("ReplaysTable",), keys=("ORDER",)),
        Right("FindWhatWasSent", ("dynamodb:BatchGetItem",), ("ReplaysTable",), keys=(*_SENT, *_SENT_EVENTS)),
        _record(*_MESSAGES),
        _COUNT_PROGRESS,
        Right("ListReplayJobs", ("dynamodb:Query",), ("ReplaysTable/index/newest-first",)),
        Right("ReadAggregates", ("dynamodb:Query", "dynamodb:BatchGetItem"), ("AggregatesTable",), keys=("ENTITY#*",)),
        Right("KeepTotalsAndValues", ("dynamodb:BatchGetItem", "dynamodb:PutItem"), ("AggregatesTable",), keys=_KEPT),
        Right("StartReplays", ("sqs:SendMessage",), ("ReplayJobsQueue",)),
        *_COMMON,
    ),
    # Turns a replay job into messages, slice by slice, and sends dead letters back.
    "planner": (
        Right("FindEvents", ("dynamodb:Query",), ("EventsTable",), keys=_EVENTS),
        Right("FindEventsByIndex", ("dynamodb:Query",), ("EventsTable/index/by-type-and-day",)),
        Right("LookEventsUp", ("dynamodb:BatchGetItem",), ("DedupeTable",)),
        _READ_EVENTS_FILES,
        _FIND_EVENTS_FILES,
        Right("AdvanceReplayJobs", ("dynamodb:PutItem", "dynamodb:Query"), ("ReplaysTable",), keys=_REPLAYS),
        Right(
            "TakeTurnsAndRoom",
            ("dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:PutItem"),
            ("ReplaysTable",),
            keys=("DESTINATION#*",),
        ),
        Right(
            "KeepFoundDaysAndWhatIsSent",
            ("dynamodb:BatchWriteItem",),
            ("ReplaysTable",),
            keys=("REPLAY#*#DAYS", *_SENT, *_SENT_EVENTS),
        ),
        Right("FindWhatWasSent", ("dynamodb:BatchGetItem",), ("ReplaysTable",), keys=_SENT_EVENTS),
        Right("SendNextSlices", ("sqs:SendMessage",), ("ReplayJobsQueue", "ReplayJobsDeadLetterQueue")),
        SEND_TO_DESTINATIONS,
        Right("TakeDeadLettersBack", ("sqs:ReceiveMessage", "sqs:DeleteMessage"), ("DeadLetterQueue",)),
        _READ_RECORDED,
        _record(*_MESSAGES),
        _COUNT_PROGRESS,
        _receive("TakeSlices", "ReplayJobsQueue"),
        *_COMMON,
    ),
    # Reads replayed events back and computes aggregates.
    "processor": (
        _READ_RAW,
        _TELL_MISSING,
        _READ_RECORDED,
        _record("ENTITY#*"),
        _READ_STATES,
        _COUNT_PROGRESS,
        _receive("TakeReferences", "ReplayQueue"),
        *_COMMON,
    ),
    # Counts messages that were received too often, looks at them as the processor does, and lays them to rest.
    "dead_letters": (
        _receive("TakeFailures", "ReplayFailuresQueue"),
        _READ_RAW,
        _TELL_MISSING,
        Right("LayToRest", ("sqs:SendMessage",), ("DeadLetterQueue",)),
        _READ_RECORDED,
        _record(*_MESSAGES),
        _READ_STATES,
        _COUNT_PROGRESS,
        *_COMMON,
    ),
    # Lists and signs what was written.
    "digest": (
        Right(
            "HashObjects",
            ("s3:GetObjectVersion",),
            ("RawBucket/raw/*", "RawBucket/rejected/*", "RawBucket/superseded/*", "RawBucket/metrics/*"),
        ),
        Right("SeeWhetherOneIsGone", ("s3:ListBucketVersions",), ("RawBucket",), listing="raw/*"),
        Right("SeeWhetherARefusedOneIsGone", ("s3:ListBucketVersions",), ("RawBucket",), listing="rejected/*"),
        Right("SeeWhetherAMarkerIsGone", ("s3:ListBucketVersions",), ("RawBucket",), listing="superseded/*"),
        Right("SeeWhetherAMetricIsGone", ("s3:ListBucketVersions",), ("RawBucket",), listing="metrics/*"),
        Right("KeepDigests", ("s3:PutObject", "s3:GetObject"), ("RawBucket/digests/*",)),
        Right("FindTheNewest", ("s3:ListBucket",), ("RawBucket",), listing="digests/*"),
        Right("Sign", ("kms:Sign",), ("DigestKey",)),
        _receive("TakeNotifications", "DigestQueue"),
        *_COMMON,
    ),
}
