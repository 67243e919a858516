"""Remove a stage's stack, unless it contains data: objects, items or messages.

python -m infra.destroy STAGE [--yes]
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from infra.account import Account, aws_errors_in_words, session
from infra.changes import DELETE_TABLE, Resource, failures, removal, retained
from infra.command import Problem, Tell, exit_status, parser, say
from infra.deploy import INTERRUPTED, stack_name
from infra.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

EPILOG: Final = """\
A stack is not removed while its bucket, a table or a queue holds anything: it says which, and how much. What has a
deletion policy of its own, as the bucket and the tables have, stays even if it is empty, and the commands that
remove those are shown.
"""

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

_EMPTYING: Final[dict[str, tuple[str, ...]]] = {
    "AWS::S3::Bucket": (),
    "AWS::DynamoDB::Table": DELETE_TABLE,
    "AWS::SQS::Queue": ("aws sqs purge-queue --queue-url {}",),
}

Ask = Callable[[str], str]
Holding = tuple[Resource, str]
"""A resource that contains something, and how much, in words."""


def main(arguments: Sequence[str], say: Tell = say, ask: Ask = input) -> int:
    """Remove one stage and return the exit status."""
    line = parser("infra.destroy", "Remove the stack of a stage, unless it contains data.", EPILOG)
    line.add_argument("stage", help="the stage; its stack is retrace-STAGE")
    line.add_argument("--yes", action="store_true", help="do not ask for the stage's name to be typed")
    chosen = line.parse_args(arguments)
    return exit_status(lambda: _destroy(chosen.stage, say, None if chosen.yes else ask), *INTERRUPTED)


@aws_errors_in_words()
def _destroy(stage: str, say: Tell, ask: Ask | None) -> None:
    if not stage:
        raise Problem("No stage is given.", "Name it: make destroy STAGE=dev")
    account = Account.of(session())
    say(str(account))
    stack = Stack(account.cloudformation, stack_name(stage))
    if stack.settled(say) is None:
        raise Problem(
            f"There is no stack {stack.name} in this account and region.",
            "AWS_PROFILE and AWS_REGION choose others.",
        )
    _require_empty(stack, stored_data(account, stack.resources()))
    if ask is not None:
        _confirm(stage, stack, ask)
    _remove(stack, say)


def _require_empty(stack: Stack, held: Sequence[Holding]) -> None:
    lines = [f"{stack.name} contains data, so it is not removed."]
    for resource, amount in held:
        lines.append(f"  {resource.logical_id} ({resource.physical_id}): {amount}")
        lines += (f"      {command.format(resource.physical_id)}" for command in _EMPTYING[resource.type])
    if held:
        raise Problem(
            "\n".join(lines),
            "To remove that too, run these commands, for the bucket those of docs/deploying.md. Then try again.",
        )


def _confirm(stage: str, stack: Stack, ask: Ask) -> None:
    try:
        typed = ask(f"{stack.name} contains no data. Type {stage} to remove it: ")
    except EOFError:
        typed = ""
    if typed.strip() != stage:
        raise Problem(
            "Nothing was removed.",
            f"Type the name of the stage, or from a script: python -m infra.destroy {stage} --yes",
        )


def _remove(stack: Stack, say: Tell) -> None:
    events = []
    for event in stack.delete():
        events.append(event)
        if event.status == "DELETE_COMPLETE" and event.resource.logical_id != stack.name:
            say(f"  {event.resource.logical_id} deleted")
    if failed := failures(events):
        raise Problem("\n".join([f"{stack.name} could not be removed.", *failed]), "Fix that and try again.")
    say(f"\n{stack.name} is removed.")
    if left := retained(events):
        say("\nThis stays, because of its deletion policy. A command, if there is one, removes it:\n")
        for line in removal(left):
            say(line)


def stored_data(account: Account, resources: Iterable[Resource]) -> list[Holding]:
    """Return the resources that contain data. One that was never made or was removed by hand contains none."""
    amounts = ((resource, _amount(account, resource)) for resource in resources if resource.physical_id)
    return [(resource, amount) for resource, amount in amounts if amount]


def _amount(account: Account, resource: Resource) -> str:
    try:
        match resource.type:
            case "AWS::S3::Bucket":
                return _objects(account.s3, resource.physical_id)
            case "AWS::DynamoDB::Table":
                return _items(account.dynamodb, resource.physical_id)
            case "AWS::SQS::Queue" if resource.logical_id != "DigestQueue":  # its messages only name objects
                return _messages(account.sqs, resource.physical_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
