"""The deployment that a command talks to: its API, its AWS clients, and what its storage and queues are called."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retrace.problem import Exit, Problem

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

STORAGE = ("raw_bucket", "events_table", "dedupe_table", "replays_table", "aggregates_table")
QUEUES = (
    "replay_queue_url",
    "replay_jobs_queue_url",
    "replay_failures_queue_url",
    "dead_letter_queue_url",
    "replay_jobs_dead_letter_queue_url",
)
DIGEST_KEY = "digest_key_arn"
"""What digests are signed with, where a deployment has digests."""

DESTINATIONS = "destinations"
"""Where replays may send: names and ARNs, as JSON."""

ROW_SETTINGS = ("type_day_shards", "late_after_seconds", "dedupe_ttl_days")
"""What rows depend on beside their events; outputs of the stack, as all of these are."""

NAMED = (*STORAGE, *QUEUES, *ROW_SETTINGS, DIGEST_KEY, DESTINATIONS)
"""All of them: what a profile may say in place of a stack."""

_REGION_IN_URL = re.compile(r"execute-api\.([a-z0-9-]+)\.")


@dataclass(frozen=True)
class Target:
    """A deployment: its API, and where its storage is if that is known."""

    url: str
    found_in: str
    region: str | None = None
    aws_profile: str | None = None
    access_key: tuple[str, str] | None = None
    endpoint_url: str | None = None
    stack: str | None = None
    storage: Mapping[str, str] = field(default_factory=dict)
    left_over: str | None = None
    """What to do if RETRACE_URL turns out to be that of a local stack that is gone."""
    stack_here: str | None = None
    """The URL of the stack of `make up`, if RETRACE_URL names another one on this machine."""

    @cached_property
    def session(self) -> boto3.Session:
        """An AWS session as the caller; raises Problem if the profile is not known."""
        key_id, secret = self.access_key or (None, None)
        try:
            return boto3.Session(key_id, secret, region_name=self.region, profile_name=self.aws_profile)
        except BotoCoreError as error:
            remedy = "See ~/.aws/config, or name another profile: `aws_profile` in the profile, or AWS_PROFILE."
            raise Problem(str(error), remedy, Exit.UNREACHABLE) from error

    @property
    def credentials(self) -> ReadOnlyCredentials:
        """What requests are signed with, renewed where they run out; raises Problem if there are none."""
        try:
            found = self.session.get_credentials()
            frozen = None if found is None else found.get_frozen_credentials()
        except BotoCoreError as error:
            remedy = "Log in again (aws sso login), or name other credentials (AWS_PROFILE)."
            raise Problem(f"The AWS credentials cannot be used: {error}", remedy, Exit.UNREACHABLE) from error
        if frozen is None:
            remedy = "Log in (aws sso login), set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            raise Problem("There are no AWS credentials to sign requests with.", remedy, Exit.UNREACHABLE)
        return frozen

    @property
    def signing_region(self) -> str:
        """The region of the API: as chosen, as in its URL, or that of the AWS session."""
        match = _REGION_IN_URL.search(self.url)
        named = match[1] if match else os.environ.get("AWS_REGION")  # boto3 knows AWS_DEFAULT_REGION only
        region = self.region or named or self.session.region_name
        if region is None:
            raise Problem("The region of the API is unknown.", "Give --region or set AWS_REGION.", Exit.UNREACHABLE)
        return region

    @property
    def is_local(self) -> bool:
        """Whether it is a stack that `make up` started."""
        return self.access_key is not None

    def client(self, service: str, config: Config | None = None) -> Any:
        """An AWS client as the caller; of a local stack past any proxy, as its addresses are on this machine."""
        if self.is_local:
            config = (config or Config()).merge(Config(proxies={}))
        made: Any = self.session.client(  # type: ignore[call-overload]  # one of many services
            service, region_name=self.signing_region, endpoint_url=self.endpoint_url, config=config
        )
        return made

    def stored_in(self, name: str) -> str:
        """The name of a table or of the bucket: as the profile or the local stack says, or an output of the stack."""
        known = self.known(name)
        if known is None:
            remedy = f'Write `stack = "…"` (CloudFormation) or `{name} = "…"` into the profile, or give --stack.'
            raise Problem(f"The name of the {name.replace('_', ' ')} is unknown.", remedy, Exit.UNREACHABLE)
        return known

    def known(self, name: str) -> str | None:
        """The same, of a queue its URL; None if nothing says. Raises Problem if the stack cannot be read."""
        return self.storage.get(name) or self._outputs.get("".join(part.capitalize() for part in name.split("_")))

    @property
    def names_queues(self) -> bool:
        """Whether something says what the queues are called."""
        return self.stack is not None or any(name in self.storage for name in QUEUES)

    @cached_property
    def _outputs(self) -> Mapping[str, str]:
        if self.stack is None:
            return {}
        try:
            described = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        except (BotoCoreError, ClientError) as error:
            remedy = "Check the name, the region and your permission to describe it."
            raise Problem(f"The stack {self.stack} cannot be read: {error}", remedy, Exit.UNREACHABLE) from error
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
