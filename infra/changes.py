"""Reads a stack from CloudFormation: planned changes, events, and retained resources."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef, StackEventTypeDef

PROTECTED: Final = frozenset({"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::DynamoDB::Table"})
"""What holds data, and what keeps others from deleting it."""

_SIGNS: Final = {"added": "+", "changed": "~", "may be replaced": "?", "replaced": "!", "removed": "-"}

_ACTIONS: Final = {"Add": "added", "Import": "added", "Remove": "removed", "Dynamic": "may be replaced"}
_REPLACEMENTS: Final = {"True": "replaced", "Conditional": "may be replaced"}
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html"""

DELETE_TABLE: Final = (
    "aws dynamodb update-table --table-name {} --no-deletion-protection-enabled",
    "aws dynamodb delete-table --table-name {}",
)
_REMOVAL: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::S3::Bucket": ("aws s3api delete-bucket --bucket {}",),
    "AWS::KMS::Key": ("aws kms schedule-key-deletion --key-id {}",),
    "AWS::DynamoDB::Table": DELETE_TABLE,
}
"""By type. Each except the key's fails if the resource still contains something."""

_ALL_APIS: Final = "Leave it: all APIs of this account and region write their logs with it."
_REMARKS: Final[Mapping[str, str]] = {
    "AWS::S3::BucketPolicy": "It goes with its bucket.",
    "AWS::ApiGateway::Account": _ALL_APIS,
    "AWS::KMS::Key": "Keep its public key as long as there are digests. They cannot be verified without it.",
    "AWS::IAM::Role": _ALL_APIS,
}
"""By type, of what no command is shown for. The one role that stays is ApiLogRole."""


@dataclass(frozen=True, slots=True)
class Change:
    """A resource, and how it would change: one of the words in _SIGNS."""

    logical_id: str
    type: str
    how: str
    properties: Sequence[str] = ()

    @classmethod
    def of(cls, change: "ResourceChangeTypeDef") -> "Change":
        """Read it from CloudFormation's response."""
        how = _ACTIONS.get(change["Action"]) or _REPLACEMENTS.get(change.get("Replacement", ""), "changed")
        targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
        properties = {target.get("Name") or target.get("Attribute", "") for target in targets}
        return cls(change["LogicalResourceId"], change["ResourceType"], how, sorted(properties - {""}))

    @property
    def loses(self) -> bool:
        """Whether a bucket or a table would no longer be the one that holds the data, or lie there unprotected.

        What only may be replaced is left to the stack policy: CloudFormation knows when it comes to it.
        """
        return self.type in PROTECTED and self.how in {"replaced", "removed"}


def lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each change, and one that counts them."""
    width = max((len(change.logical_id) for change in changes), default=0)
    for change in sorted(changes, key=lambda each: (list(_SIGNS).index(each.how), each.logical_id)):
        line = f"  {_SIGNS[change.how]} {change.logical_id:{width}}  {change.type}"
        yield f"{line} ({', '.join(change.properties)})" if change.properties else line
    counts = Counter(change.how for change in changes)
    yield ", ".join(f"{counts[how]} {how}" for how in _SIGNS if counts[how]) or "only outputs"


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that the stack has made: its name in the template, its type, and its name in AWS."""

    logical_id: str
    type: str
    physical_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource of the stack, or to the stack itself."""

    resource: Resource
    status: str
    reason: str

    @classmethod
    def of(cls, event: "StackEventTypeDef") -> "Event":
        """Read it from CloudFormation's response."""
        resource = Resource(
            event.get("LogicalResourceId", ""), event.get("ResourceType", ""), event.get("PhysicalResourceId", "")
        )
        return cls(resource, event.get("ResourceStatus", ""), event.get("ResourceStatusReason", ""))


class History:
    """The events of a stack from now on. By its id and not by its name: only so is a deleted stack still found."""

    def __init__(self, cloudformation: "CloudFormationClient", stack_id: str) -> None:
        self.stack_id = stack_id
        self._aws = cloudformation
        self._seen = {event["EventId"] for page in self._pages() for event in page}

    def news(self) -> list[Event]:
        """What has happened since the last look, oldest first."""
        fresh: list[StackEventTypeDef] = []
        for page in self._pages():
            unseen = [event for event in page if event["EventId"] not in self._seen]
            fresh += unseen
            if len(unseen) < len(page):  # the newest come first: all further pages were seen before
                break
        self._seen |= {event["EventId"] for event in fresh}
        return [Event.of(event) for event in reversed(fresh)]

    def _pages(self) -> Iterator[Sequence["StackEventTypeDef"]]:
        for page in self._aws.get_paginator("describe_stack_events").paginate(StackName=self.stack_id):
            yield page["StackEvents"]


def end(stack_id: str, events: Sequence[Event]) -> str | None:
    """Return the status that a stack has come to by these events; None if it goes on, or has not begun yet.

    What executes a change set or deletes a stack only begins it: its status may still be the one of the last time.
    Its own events contain them. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
    """
    own = [event.status for event in events if event.resource.physical_id == stack_id]
    return own[-1] if own and not own[-1].endswith("_IN_PROGRESS") else None


def failures(events: Iterable[Event]) -> list[str]:
    """Return a line for each resource that failed by itself, with its reason; the others were only cancelled."""
    failed = [each for each in events if each.status.endswith("_FAILED") and "cancelled" not in each.reason.lower()]
    reasons = dict.fromkeys((each.resource, each.reason or "no reason was given") for each in failed)
    return [f"  {resource.logical_id} ({resource.type}): {reason}" for resource, reason in reasons]


def retained(events: Iterable[Event]) -> list[Resource]:
    """Return what CloudFormation kept when it deleted, because of its deletion policy."""
    return [event.resource for event in events if event.status == "DELETE_SKIPPED"]


def removal(left: Iterable[Resource]) -> Iterator[str]:
    """Yield what is left, and the commands that would remove it, or why there are none."""
    for resource in left:
        yield f"  {resource.logical_id}  {resource.type}  {resource.physical_id}"
        for command in _REMOVAL.get(resource.type, ()):
            yield f"      {command.format(resource.physical_id)}"
        if resource.type in _REMARKS:
            yield f"      {_REMARKS[resource.type]}"
