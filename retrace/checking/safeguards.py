"""Reads how bucket and tables are protected now, and how old the newest digest is, for `retrace doctor` and audits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import keys
from chalicelib.aws.errors import code_of
from chalicelib.core.timestamps import instant_of, lag_ms
from retrace.checking import protection
from retrace.checking.digest_chain import LATE_MS
from retrace.checking.protection import Declared
from retrace.checkup import NAME_THE_STACK, PATIENCE, Finding, Level, finding_or_warning
from retrace.output import duration
from retrace.problem import Problem
from retrace.target import DIGEST_KEY, Target

_TABLES = {"EventsTable": "events", "DedupeTable": "dedupe", "ReplaysTable": "replays", "AggregatesTable": "aggregates"}
_NONE = {"NoSuchBucketPolicy", "NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError"} | {
    "NoSuchPublicAccessBlockConfiguration"
}
_UNREADABLE = "It cannot be read"
_RIGHTS = "Use credentials with the stack's policy AuditorPolicyArn."


def safeguards(target: Target) -> Iterator[Finding]:
    """What protects the bucket and each table, and whether it is as deployed. A local stack has nothing to protect."""
    if target.is_local:
        return
    if target.stack is None:
        yield Finding("protection", Level.WARNING, "The deployed template is unknown.", NAME_THE_STACK)
        return
    try:
        bucket = target.stored_in("raw_bucket")
        declared = _declared(target, target.stack, bucket)
        of_bucket, of_policy = declared.properties("RawBucket"), declared.properties("RawBucketPolicy")
    except Problem as problem:
        yield Finding("protection", Level.WARNING, problem.what, problem.remedy)
        return
    except (BotoCoreError, ClientError) as error:
        yield Finding("protection", Level.WARNING, f"The template cannot be read: {error}", _RIGHTS)
        return
    for check, look in _of_bucket(target, bucket, of_bucket, of_policy).items():
        yield finding_or_warning(check, look, _UNREADABLE, _RIGHTS)
    for logical_id, name in _TABLES.items():
        yield finding_or_warning(
            f"table {name}", _of_table(target, name, declared.properties(logical_id)), _UNREADABLE, _RIGHTS
        )


def _declared(target: Target, stack: str, bucket: str) -> Declared:
    cloudformation = target.client("cloudformation", PATIENCE)
    body = cloudformation.get_template(StackName=stack)["TemplateBody"]
    [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}
    partition = target.client("s3").meta.partition
    template = json.loads(body) if isinstance(body, str) else body
    declared = Declared(template, parameters, {"RawBucket": f"arn:{partition}:s3:::{bucket}"})
    place = described["StackId"].split(":")[3:5]
    queue = declared.properties("DigestQueue")["QueueName"]
    return replace(declared, arns={**declared.arns, "DigestQueue": ":".join(["arn", partition, "sqs", *place, queue])})


Look = Callable[[], Finding]


def _of_bucket(target: Target, bucket: str, of_bucket: Any, of_policy: Any) -> dict[str, Look]:
    there = _Bucket(target.client("s3", PATIENCE), bucket, of_bucket, of_policy["PolicyDocument"])
    return {
        "bucket policy": there.policy,
        "object lock": there.lock,
        "versioning": there.versioning,
        "public access": there.public_access,
        "lifecycle": there.lifecycle,
        "notifications": there.notifications,
    }


@dataclass(frozen=True)
class _Bucket:
    """The raw bucket as it is, and as the template declares it."""

    s3: Any
    name: str
    declared: Any
    declared_policy: Any

    def policy(self) -> Finding:
        text = self._found(self.s3.get_bucket_policy, "Policy")
        return protection.policy(self.declared_policy, json.loads(text) if text else None)

    def lock(self) -> Finding:
        there = self._found(self.s3.get_object_lock_configuration, "ObjectLockConfiguration")
        return protection.lock(self.declared["ObjectLockConfiguration"], there)

    def versioning(self) -> Finding:
        there = self.s3.get_bucket_versioning(Bucket=self.name)
        return protection.versioning(self.declared["VersioningConfiguration"], there)

    def public_access(self) -> Finding:
        there = self._found(self.s3.get_public_access_block, "PublicAccessBlockConfiguration")
        return protection.public_access(self.declared["PublicAccessBlockConfiguration"], there)

    def lifecycle(self) -> Finding:
        there = self._found(self.s3.get_bucket_lifecycle_configuration, "Rules")
        return protection.lifecycle(self.declared["LifecycleConfiguration"], there)

    def notifications(self) -> Finding:
        there = self.s3.get_bucket_notification_configuration(Bucket=self.name)
        return protection.notifications(self.declared.get("NotificationConfiguration", {}), there)

    def _found(self, call: Callable[..., Any], member: str) -> Any:
        """What the bucket has; nothing if it has none."""
        try:
            return call(Bucket=self.name).get(member, {})
        except ClientError as error:
            if code_of(error) in _NONE:
                return {}
            raise


def _of_table(target: Target, name: str, declared: Any) -> Look:
    def look() -> Finding:
        dynamodb, table = target.client("dynamodb", PATIENCE), target.stored_in(f"{name}_table")
        backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus", "DISABLED")
        return protection.table(name, declared, dynamodb.describe_table(TableName=table)["Table"], recovery)

    return look


_CHECK = "digests"
_RUNBOOK = "docs/runbook.md#digest-missing"


def newest_digest(target: Target, now: datetime) -> Finding:
    """Whether digests are written, and on time; their signatures are for `retrace check verify --digests`."""
    remedy = "Allow s3:ListBucket to check this. The API works without it."
    return finding_or_warning(_CHECK, partial(_of_digests, target, now), "Digests cannot be listed", remedy)


def _of_digests(target: Target, now: datetime) -> Finding:
    bucket = target.known("raw_bucket")
    if bucket is None:
        return Finding(_CHECK, Level.WARNING, "The name of the raw bucket is unknown.", NAME_THE_STACK)
    written = _newest(target, bucket)
    enabled = target.known(DIGEST_KEY) is not None
    if written is None:
        said = "There are none yet; the first comes within an hour." if enabled else "There are none."
        return Finding(_CHECK, Level.WARNING, said, f"If none come: the parameter EnableDigests, and {_RUNBOOK}")
    age = lag_ms(instant_of(written[1]), instant_of(now))
    said = f"The newest, {written[0]}, was written {duration(max(age, 0))} ago."
    if age > LATE_MS:
        return Finding(_CHECK, Level.PROBLEM, f"{said} They are disabled or delayed.", _RUNBOOK)
    return Finding(_CHECK, Level.OK, said)


def _newest(target: Target, bucket: str) -> tuple[int, datetime] | None:
    """The sequence of the newest digest, and when S3 says that it was written."""
    s3 = target.client("s3", PATIENCE)
    pages = s3.get_paginator("list_objects_v2")
    folders = [
        found["Prefix"]
        for page in pages.paginate(Bucket=bucket, Prefix=keys.DIGESTS, Delimiter="/")
        for found in page.get("CommonPrefixes", [])
    ]
    found = [
        (sequence, each["LastModified"])
        for folder in folders[-1:]
        for page in pages.paginate(Bucket=bucket, Prefix=folder)
        for each in page.get("Contents", [])
        if (sequence := keys.sequence_of_digest(each["Key"])) is not None
    ]
    return max(found, default=None)
