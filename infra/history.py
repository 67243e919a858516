"""What has happened to one stack: its events, each told once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef


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
        """Read it as CloudFormation tells it."""
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
    Its own events tell. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
    """
    own = [event.status for event in events if event.resource.physical_id == stack_id]
    return own[-1] if own and not own[-1].endswith("_IN_PROGRESS") else None
