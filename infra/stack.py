"""One CloudFormation stack: its status, its change sets, and what goes on in it."""

import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from botocore.exceptions import ClientError

from infra.changes import PROTECTED, Change, Event, History, Resource, end
from infra.command import Problem, Tell, observe, silent

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

Kind = Literal["CREATE", "UPDATE"]

ABSENT: Final = frozenset({None, "REVIEW_IN_PROGRESS", "DELETE_COMPLETE"})
"""There is nothing yet: REVIEW_IN_PROGRESS is a stack of which only a change set was ever made."""

COMPLETE: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
UPDATABLE: Final = COMPLETE | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}

_CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
_NOTHING: Final = ("didn't contain changes", "No updates are to be performed")

_EVERYTHING: Final = {"Principal": "*", "Resource": "*"}
_OF_PROTECTED: Final = {"StringEquals": {"ResourceType": sorted(PROTECTED)}}
PROTECTION: Final = {
    "Statement": [
        {"Effect": "Allow", "Action": "Update:*", **_EVERYTHING},
        {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Condition": _OF_PROTECTED, **_EVERYTHING},
    ]
}
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html"""


class Stack:
    """A stack by its name, which need not exist."""

    def __init__(self, cloudformation: "CloudFormationClient", name: str, *, every: float = 2.0) -> None:
        self.name = name
        self._aws = cloudformation
        self._every = every

    def described(self) -> "StackTypeDef | None":
        """What CloudFormation knows of it; None if it does not exist."""
        try:
            return self._aws.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def settled(self, tell: Tell = silent) -> "StackTypeDef | None":
        """Return the same, once no operation is in progress: an interrupted deployment continues. It reports a wait."""
        described = self.described()
        if _under_way(described):
            tell(f"Waiting for the operation in progress on {self.name} …")
            described = next(now for now in observe(self.described, self._every) if not _under_way(now))
        return described

    def outputs(self) -> dict[str, str]:
        """Its outputs by name."""
        described = self.described()
        return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])} if described else {}

    def resources(self) -> list[Resource]:
        """All that it has made and not removed again."""
        pages = self._aws.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [
            Resource(each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", ""))
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def propose(
        self, kind: Kind, template_url: str, parameters: Mapping[str, str], kept: Collection[str] = ()
    ) -> "ChangeSet | None":
        """Make a change set, in which parameters named as kept have the values they have; None if nothing changes."""
        name = f"change-{uuid.uuid4()}"
        values: list[ParameterTypeDef] = []
        values += [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        values += [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]
        try:
            made = self._aws.create_change_set(
                StackName=self.name,
                ChangeSetName=name,
                ChangeSetType=kind,
                TemplateURL=template_url,
                Parameters=values,
                Capabilities=_CAPABILITIES,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise _refused(error.response["Error"]["Message"]) from error
        return self._examined(name, made["StackId"])

    def _examined(self, name: str, stack_id: str) -> "ChangeSet | None":
        pages = self._aws.get_paginator("describe_change_set").paginate(StackName=self.name, ChangeSetName=name)
        looks = observe(lambda: list(pages), self._every)
        described = next(each for each in looks if each[0]["Status"] in {"CREATE_COMPLETE", "FAILED"})
        if described[0]["Status"] == "FAILED":
            self.discard(name)
            reason = described[0].get("StatusReason", "")
            if any(words in reason for words in _NOTHING):
                return None
            raise _refused(reason)
        changes = [Change.of(each["ResourceChange"]) for page in described for each in page["Changes"]]
        return ChangeSet(name, stack_id, tuple(changes))

    def discard(self, change_set: str) -> None:
        """Delete a change set by its name, and the stack with it if that is all there ever was of it."""
        self._aws.delete_change_set(StackName=self.name, ChangeSetName=change_set)
        described = self.described()
        if described is not None and described["StackStatus"] == "REVIEW_IN_PROGRESS":
            self._aws.delete_stack(StackName=self.name)

    def protect(self) -> None:
        """Have CloudFormation itself refuse to replace or remove what is protected, on every update of the stack."""
        self._aws.set_stack_policy(StackName=self.name, StackPolicyBody=json.dumps(PROTECTION))

    def execute(self, change_set: "ChangeSet") -> Iterator[Event]:
        """Carry a change set out; yields what happens, until it is over."""
        history = History(self._aws, change_set.stack_id)
        self._aws.execute_change_set(StackName=self.name, ChangeSetName=change_set.name)
        return self._follow(history)

    def delete(self) -> Iterator[Event]:
        """Delete the stack; yields what happens, until it is over."""
        described = self.described()
        if described is None:
            return iter(())
        history = History(self._aws, described["StackId"])
        self._aws.delete_stack(StackName=self.name)
        return self._follow(history)

    def _follow(self, history: History) -> Iterator[Event]:
        for news in observe(history.news, self._every):
            yield from news
            if end(history.stack_id, news):
                return


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What would change, and the name under which it can be carried out."""

    name: str
    stack_id: str
    changes: Sequence[Change]


def _under_way(described: "StackTypeDef | None") -> bool:
    status = described["StackStatus"] if described is not None else ""
    return status.endswith("_IN_PROGRESS") and status not in ABSENT


def _refused(reason: str) -> Problem:
    return Problem(f"CloudFormation refused the template or its parameters: {reason}", "Fix that and try again.")
