"""What a stack leaves behind because its deletion policy says so, and the commands that would remove it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from infra.history import Event, Resource

_REMOVAL: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::S3::Bucket": ("aws s3api delete-bucket --bucket {}",),
    "AWS::KMS::Key": ("aws kms schedule-key-deletion --key-id {}",),
    "AWS::DynamoDB::Table": (
        "aws dynamodb update-table --table-name {} --no-deletion-protection-enabled",
        "aws dynamodb delete-table --table-name {}",
    ),
}
"""By type. But for the key's, each of them fails where something is still held."""

_ALL_APIS: Final = "Leave it: all APIs of this account and region write their logs with it."
_REMARKS: Final[Mapping[str, str]] = {
    "AWS::S3::BucketPolicy": "It goes with its bucket.",
    "AWS::ApiGateway::Account": _ALL_APIS,
    "AWS::KMS::Key": "Keep its public key for as long as there are digests: nobody can check them without.",
    "AWS::IAM::Role": _ALL_APIS,
}
"""By type, of what no command is shown for. The one role that stays is ApiLogRole."""


def passed_over(events: Iterable[Event]) -> list[Resource]:
    """Return what CloudFormation passed over as it deleted."""
    return [event.resource for event in events if event.status == "DELETE_SKIPPED"]


def told(left: Iterable[Resource]) -> Iterator[str]:
    """Yield what is left, and the commands that would remove it, or why there are none."""
    for resource in left:
        yield f"  {resource.logical_id}  {resource.type}  {resource.physical_id}"
        for command in _REMOVAL.get(resource.type, ()):
            yield f"      {command.format(resource.physical_id)}"
        if resource.type in _REMARKS:
            yield f"      {_REMARKS[resource.type]}"
