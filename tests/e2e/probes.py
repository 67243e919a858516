"""Calls to AWS that change nothing even where they are allowed, one for each action that a function might take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from embedded.admin import AccessKey

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_DENIED: Final = {"AccessDenied", "AccessDeniedException"}
_WRONG_MD5: Final = "1B2M2Y8AsgTpgAmY7PhCfg=="  # that of nothing
# One that names a queue that there is not, and so is refused where it is allowed.
_NO_CONFIGURATION: Final[Any] = {
    "QueueConfigurations": [
        {"QueueArn": "arn:aws:sqs:eu-west-1:000000000000:no-such-queue", "Events": ["no such event"]}
    ]
}
_NO_LOCK: Final[Any] = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 0}}}
_NO_RULE: Final[Any] = {
    "Rules": [{"ID": "all", "Status": "neither", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
}
_ALL_BLOCKED: Final[Any] = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}
_ONCE: Final = Config(proxies={}, retries={"total_max_attempts": 1})


@dataclass(frozen=True)
class Kept:
    """What is in the stack that calls are tried on."""

    bucket: str
    raw_key: str
    raw_version: str
    rejected_key: str
    rejected_version: str
    tables: dict[str, str]
    queues: dict[str, str]
    buses: dict[str, str]
    key_arn: str


class Caller:
    """Clients that sign with one key."""

    def __init__(self, endpoint_url: str, region: str, key: AccessKey) -> None:
        session = boto3.Session(key.access_key_id, key.secret_access_key, region_name=region)
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint_url, config=_ONCE)
        self.dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=endpoint_url, config=_ONCE)
        self.cloudformation: CloudFormationClient = session.client(
            "cloudformation", endpoint_url=endpoint_url, config=_ONCE
        )
        self.kms: KMSClient = session.client("kms", endpoint_url=endpoint_url, config=_ONCE)
        self.sqs: SQSClient = session.client("sqs", endpoint_url=endpoint_url, config=_ONCE)
        self.events: Any = session.client("events", endpoint_url=endpoint_url, config=_ONCE)

    def may(self, probe: Probe, kept: Kept) -> bool:
        """Whether a call is not denied; it may fail for another reason."""
        try:
            probe(self, kept)
        except ClientError as error:
            return error.response["Error"]["Code"] not in _DENIED
        return True


Probe = Callable[[Caller, Kept], Any]


def _put(key: Callable[[Kept], str]) -> Probe:
    """Put an object under a new key; its checksum is wrong, so that it is not stored."""
    return lambda caller, kept: caller.s3.put_object(
        Bucket=kept.bucket, Key=key(kept), Body=b"x", ContentMD5=_WRONG_MD5, IfNoneMatch="*"
    )


BUCKET: Final[dict[str, Probe]] = {
    "put a raw object": _put(lambda kept: f"{kept.raw_key}.new"),
    "put a refused event": _put(lambda kept: f"{kept.rejected_key}.new"),
    "put a digest": _put(lambda _: "digests/new"),
    "put a file of events": _put(lambda _: "events-files/new"),
    "get a file of events": lambda caller, kept: caller.s3.get_object(Bucket=kept.bucket, Key="events-files/none"),
    "list files of events": lambda caller, kept: caller.s3.list_objects_v2(Bucket=kept.bucket, Prefix="events-files/"),
    "put a marker": _put(lambda _: "superseded/new"),
    "put a change of a metric": _put(lambda _: "metrics/new"),
    "get a change of a metric": lambda caller, kept: caller.s3.get_object(Bucket=kept.bucket, Key="metrics/none"),
    "list versions of changes of metrics": lambda caller, kept: caller.s3.list_object_versions(
        Bucket=kept.bucket, Prefix="metrics/none"
    ),
    "put elsewhere": _put(lambda _: "elsewhere/object"),
    "overwrite a raw object": lambda caller, kept: caller.s3.put_object(
        Bucket=kept.bucket, Key=kept.raw_key, Body=b"x", ContentMD5=_WRONG_MD5
    ),
    "copy over a raw object": lambda caller, kept: caller.s3.copy_object(
        Bucket=kept.bucket, Key=kept.raw_key, CopySource={"Bucket": kept.bucket, "Key": "raw/no such object"}
    ),
    "delete a raw object": lambda caller, kept: caller.s3.delete_object(Bucket=kept.bucket, Key=kept.raw_key),
    "delete a version of a raw object": lambda caller, kept: caller.s3.delete_object(
        Bucket=kept.bucket, Key=kept.raw_key, VersionId=kept.raw_version
    ),
    "delete a refused event": lambda caller, kept: caller.s3.delete_object(Bucket=kept.bucket, Key=kept.rejected_key),
    "get a raw object": lambda caller, kept: caller.s3.get_object(Bucket=kept.bucket, Key=kept.raw_key),
    "get a refused event": lambda caller, kept: caller.s3.get_object(Bucket=kept.bucket, Key=kept.rejected_key),
    "get a marker": lambda caller, kept: caller.s3.get_object(Bucket=kept.bucket, Key="superseded/none"),
    "delete a digest": lambda caller, kept: caller.s3.delete_object(Bucket=kept.bucket, Key="digests/none"),
    "get a digest": lambda caller, kept: caller.s3.get_object(Bucket=kept.bucket, Key="digests/none"),
    "get a version of a raw object": lambda caller, kept: caller.s3.get_object(
        Bucket=kept.bucket, Key=kept.raw_key, VersionId=kept.raw_version
    ),
    "get a version of a refused event": lambda caller, kept: caller.s3.get_object(
        Bucket=kept.bucket, Key=kept.rejected_key, VersionId=kept.rejected_version
    ),
    "list digests": lambda caller, kept: caller.s3.list_objects_v2(Bucket=kept.bucket, Prefix="digests/"),
    "list versions of a raw object": lambda caller, kept: caller.s3.list_object_versions(
        Bucket=kept.bucket, Prefix=kept.raw_key
    ),
    "list versions of a refused event": lambda caller, kept: caller.s3.list_object_versions(
        Bucket=kept.bucket, Prefix=kept.rejected_key
    ),
    "list versions of markers": lambda caller, kept: caller.s3.list_object_versions(
        Bucket=kept.bucket, Prefix="superseded/none"
    ),
    "turn notifications off": lambda caller, kept: caller.s3.put_bucket_notification_configuration(
        Bucket=kept.bucket, NotificationConfiguration=_NO_CONFIGURATION
    ),
    "list raw objects": lambda caller, kept: caller.s3.list_objects_v2(Bucket=kept.bucket, Prefix="raw/"),
    "list refused events": lambda caller, kept: caller.s3.list_objects_v2(Bucket=kept.bucket, Prefix="rejected/"),
    "get what it notifies": lambda caller, kept: caller.s3.get_bucket_notification_configuration(Bucket=kept.bucket),
    "list everything": lambda caller, kept: caller.s3.list_objects_v2(Bucket=kept.bucket),
    "change the policy": lambda caller, kept: caller.s3.put_bucket_policy(Bucket=kept.bucket, Policy="{}"),
    "delete the policy": lambda caller, kept: caller.s3.delete_bucket_policy(Bucket=kept.bucket),
    "shorten the lock": lambda caller, kept: caller.s3.put_object_lock_configuration(
        Bucket=kept.bucket, ObjectLockConfiguration=_NO_LOCK
    ),
    "change public access": lambda caller, kept: caller.s3.put_public_access_block(
        Bucket=kept.bucket, PublicAccessBlockConfiguration=_ALL_BLOCKED
    ),
    "expire everything": lambda caller, kept: caller.s3.put_bucket_lifecycle_configuration(
        Bucket=kept.bucket, LifecycleConfiguration=_NO_RULE
    ),
    "suspend versioning": lambda caller, kept: caller.s3.put_bucket_versioning(
        Bucket=kept.bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
}


KEY: Final[dict[str, Probe]] = {
    "Sign": lambda caller, kept: caller.kms.sign(
        KeyId=kept.key_arn, Message=b"too short", MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
    ),
    "GetPublicKey": lambda caller, kept: caller.kms.get_public_key(KeyId=kept.key_arn),
    "ScheduleKeyDeletion": lambda caller, kept: caller.kms.schedule_key_deletion(
        KeyId=kept.key_arn, PendingWindowInDays=1
    ),
}
"""Calls on the key of digests, by the name of the action; fewer than seven days are no window."""


PARTITIONS: Final[dict[str, tuple[str, ...]]] = {
    "EventsTable": ("ENTITY#none", "EVENT#none", "SOURCES"),
    "DedupeTable": ("none",),
    "ReplaysTable": (
        "REPLAY#none",
        "REPLAY#none#DAYS",
        "REPLAY#none#SENT#0",
        "KEY#none",
        "ORDER",
        "METRIC#none",
        "DESTINATION#none",
        "DESTINATION#none#SENT#000",
    ),
    "AggregatesTable": ("ENTITY#none", "ENTITY#none#P1D#UTC#2026-11-21#VER#none", "TOTALS#none", "VALUES#none"),
}
"""A partition of each kind that a table has; none of these has a row."""

_NEVER: Final = "attribute_exists(no_such_attribute)"


def table(name: str, partition: str) -> dict[str, Probe]:
    """Calls on a partition of a table, by what they do.

    What would write does so under a condition that never holds. What should have none is no whole item.
    """

    def on(call: Callable[[DynamoDBClient, str], Any]) -> Probe:
        return lambda caller, kept: call(caller.dynamodb, kept.tables[name])

    def together(action: str, **members: Any) -> Probe:
        return on(lambda db, real: db.transact_write_items(TransactItems=[{action: {"TableName": real, **members}}]))  # type: ignore[misc]

    def batch(request: Any) -> Probe:
        return on(lambda db, real: db.batch_write_item(RequestItems={real: [request]}))

    names = ["event_id"] if name == "DedupeTable" else ["PK", "SK"]
    key: dict[str, Any] = {each: {"S": partition} for each in names}
    broken: dict[str, Any] = (
        {names[0]: {"S": partition}, "SK": {"N": "1"}} if len(names) > 1 else {names[0]: {"N": "1"}}
    )
    update: Any = {"UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
    never: Any = {"ConditionExpression": _NEVER}
    return {
        "GetItem": on(lambda db, real: db.get_item(TableName=real, Key=key)),
        "BatchGetItem": on(lambda db, real: db.batch_get_item(RequestItems={real: {"Keys": [key]}})),
        "Query": on(
            lambda db, real: db.query(
                TableName=real,
                KeyConditionExpression=f"{names[0]} = :value",
                ExpressionAttributeValues={":value": {"S": partition}},
            )
        ),
        "Scan": on(lambda db, real: db.scan(TableName=real, Limit=1)),
        "PutItem": on(lambda db, real: db.put_item(TableName=real, Item=key, **never)),
        "PutItem over": on(lambda db, real: db.put_item(TableName=real, Item=broken)),
        "PutItem together": together("Put", Item=key, **never),
        "PutItem over together": together("Put", Item=broken),
        "UpdateItem": on(lambda db, real: db.update_item(TableName=real, Key=key, **update, **never)),
        "UpdateItem together": together("Update", Key=key, **update, **never),
        "DeleteItem": on(lambda db, real: db.delete_item(TableName=real, Key=key, **never)),
        "DeleteItem together": together("Delete", Key=key, **never),
        "BatchWriteItem put": batch({"PutRequest": {"Item": broken}}),
        "BatchWriteItem delete": batch({"DeleteRequest": {"Key": broken}}),
    }


def index(of: str, name: str, attribute: str) -> Probe:
    """A query of an index."""
    return lambda caller, kept: caller.dynamodb.query(
        TableName=kept.tables[of],
        IndexName=name,
        KeyConditionExpression=f"{attribute} = :value",
        ExpressionAttributeValues={":value": {"S": "no such item"}},
    )


def queue(name: str) -> dict[str, Probe]:
    """Calls on a queue, by the name of the action."""

    def on(call: Callable[[SQSClient, str], Any]) -> Probe:
        return lambda caller, kept: call(caller.sqs, kept.queues[name])

    return {
        "SendMessage": on(lambda sqs, url: sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=1_000_000)),
        "ReceiveMessage": on(lambda sqs, url: sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1_000)),
        "DeleteMessage": on(lambda sqs, url: sqs.delete_message(QueueUrl=url, ReceiptHandle="none")),
        "GetQueueAttributes": on(lambda sqs, url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])),
        "PurgeQueue": on(lambda sqs, url: sqs.purge_queue(QueueUrl=url)),
        "SetQueueAttributes": on(
            lambda sqs, url: sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "-1"})
        ),
    }


def bus(name: str) -> dict[str, Probe]:
    """Calls on an event bus, by the name of the action. No caller may use the source, whatever its rights."""

    def put(caller: Caller, kept: Kept) -> Any:
        entry = {"EventBusName": kept.buses[name], "Source": "aws.none", "DetailType": "none", "Detail": "{}"}
        return caller.events.put_events(Entries=[entry])

    return {"PutEvents": put}
