"""A stack whose functions listen to no queue, and the environment in which workers do it in their place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chalicelib.core.pagination import chunked
from chalicelib.runtime.settings import Settings
from embedded.admin import Admin, functions_user
from embedded.connection import Stack
from embedded.deployment import PARAMETERS
from embedded.layout import LOOPBACK
from embedded.local_stack import policies
from embedded.stack import started

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

IN_FLIGHT: Final[Sequence[QueueAttributeNameType]] = ("ApproximateNumberOfMessagesNotVisible",)
DUE: Final[Sequence[QueueAttributeNameType]] = ("ApproximateNumberOfMessages", *IN_FLIGHT)
COUNTS: Final[Sequence[QueueAttributeNameType]] = (*DUE, "ApproximateNumberOfMessagesDelayed")

APPLICATION_ID: Final = "AWS_SDK_UA_APP_ID"
"""What the SDK tells AWS with each call, so that calls can be counted by who makes them."""


@dataclass(frozen=True)
class Ground:
    """A deployed stack, what workers on it see, and a look at it past its API."""

    stack: Stack
    environment: Mapping[str, str]
    admin: Admin

    def messages(self, *queue_urls: str) -> int:
        """How many messages are on queues, those in flight and those not yet due included."""
        return sum(messages_on(self.admin, url) for url in queue_urls)

    def messages_due(self, *queue_urls: str) -> int:
        """How many messages are in flight, or would be delivered now."""
        return sum(messages_on(self.admin, url, DUE) for url in queue_urls)

    def give_back(self, queue_url: str, receipts: Sequence[str]) -> None:
        """Make messages visible again, as the end of their visibility timeout does."""
        for some in chunked(receipts, 10):
            self.admin.sqs.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for number, receipt in enumerate(some)
                ],
            )


def messages_on(admin: Admin, queue_url: str, counts: Sequence[QueueAttributeNameType] = COUNTS) -> int:
    """How many messages are on a queue, those in flight and those not yet due included."""
    answer = admin.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return sum(int(answer["Attributes"][name]) for name in counts)


@contextmanager
def ground(settings: Mapping[str, str], destinations: Path | None = None) -> Iterator[Ground]:
    """Yield a stack of its own; `settings` are added to the environment of its API and of workers."""
    with started(destinations=destinations) as stack:
        yield ground_of(stack, settings)


def ground_of(stack: Stack, settings: Mapping[str, str]) -> Ground:
    """The same of a stack that is there, before anything has called it."""
    admin = Admin.of(stack)
    set_variables(admin, settings)
    for mapping in admin.functions.list_event_source_mappings()["EventSourceMappings"]:
        admin.functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    return Ground(stack, {**_environment(stack, admin), **settings}, admin)


def set_variables(admin: Admin, settings: Mapping[str, str]) -> None:
    """Add variables to the environment of every function, and the name that it calls AWS under.

    It ends the function's processes, whatever they are doing.
    """
    for function in admin.functions.list_functions()["Functions"]:
        name = {APPLICATION_ID: function["FunctionName"]}
        variables = {**function["Environment"]["Variables"], **name, **settings}
        admin.functions.update_function_configuration(
            FunctionName=function["FunctionName"], Environment={"Variables": variables}
        )


def _environment(stack: Stack, admin: Admin) -> dict[str, str]:
    """The variables that a function has, none of the user's own AWS settings, and the rights of all functions."""
    key = functions_user(admin, policies(admin, stack.destinations))
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = {name.upper(): value for name, value in asdict(stack).items() if name in Settings.model_fields}
    return {
        **foreign,
        **settings,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ENDPOINT_URL": stack.aws_endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"{LOOPBACK},localhost",
        "STAGE": PARAMETERS["Stage"],
        "REPORT_BATCH_ITEM_FAILURES": "true",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }
