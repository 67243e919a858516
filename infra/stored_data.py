"""What a stack holds: objects, items and messages, counted as far as it takes to say that there are some."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from infra.account import Account
from infra.history import Resource

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_GONE: Final = frozenset(
    {"NoSuchBucket", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
)

_AFTER_DIGESTS: Final = "digests0"
"""A bound above every key of a digest, and below those of raw objects and quarantine."""

_MESSAGES: Final[tuple["QueueAttributeNameType", ...]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Holding:
    """A resource that holds something, how much in words, and the commands that would empty it."""

    resource: Resource
    amount: str
    commands: tuple[str, ...]


def stored_data(account: Account, resources: Iterable[Resource]) -> Iterator[Holding]:
    """Yield what holds data; what somebody removed by hand holds none."""
    for resource in resources:
        if not resource.physical_id:  # it was never made
            continue
        try:
            amount = _amount(account, resource)
        except ClientError as exc:
            if exc.response["Error"]["Code"] not in _GONE:
                raise
            continue
        if amount:
            commands = tuple(command.format(resource.physical_id) for command in _EMPTYING[resource.type])
            yield Holding(resource, amount, commands)


_EMPTYING: Final[dict[str, tuple[str, ...]]] = {
    "AWS::S3::Bucket": (),
    "AWS::DynamoDB::Table": (
        "aws dynamodb update-table --table-name {} --no-deletion-protection-enabled",
        "aws dynamodb delete-table --table-name {}",
    ),
    "AWS::SQS::Queue": ("aws sqs purge-queue --queue-url {}",),
}


def _amount(account: Account, resource: Resource) -> str:
    match resource.type:
        case "AWS::S3::Bucket":
            return _objects(account.s3, resource.physical_id)
        case "AWS::DynamoDB::Table":
            return _items(account.dynamodb, resource.physical_id)
        case "AWS::SQS::Queue" if resource.logical_id != "DigestQueue":  # what is there tells only of objects
            return _messages(account.sqs, resource.physical_id)
        case _:
            return ""


def _objects(s3: "S3Client", bucket: str) -> str:
    """Count versions, as those are what is kept: an object may be hidden by a delete marker.

    Digests are left out. They come every hour, of whatever else is there; alone they are of nothing.
    """
    page = s3.list_object_versions(Bucket=bucket, KeyMarker=_AFTER_DIGESTS)
    return _counted(len(page.get("Versions", [])), "object", more=page["IsTruncated"])


def _items(dynamodb: "DynamoDBClient", table: str) -> str:
    """Count a page: DynamoDB's own count is six hours old."""
    page = dynamodb.scan(TableName=table, Select="COUNT", ConsistentRead=True)
    return _counted(page["Count"], "item", more="LastEvaluatedKey" in page)


def _messages(sqs: "SQSClient", url: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=_MESSAGES)["Attributes"]
    return _counted(sum(int(attributes[name]) for name in _MESSAGES), "message", more=False)


def _counted(number: int, noun: str, *, more: bool) -> str:
    if not number and not more:
        return ""
    return f"{'at least ' if more else ''}{number:,} {noun}{'' if number == 1 else 's'}"
