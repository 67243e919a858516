"""Digests on the deployed stack: written by its function, checked by the command line, and what root does is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws import keys
from chalicelib.core.timestamps import instant_of, shifted
from chalicelib.digests.digest import KeptDigest, Origin, next_head, signed_part, with_signature
from chalicelib.digests.kms import KmsSigner
from embedded.deployment import STACK_NAME
from embedded.stack import started
from tests.e2e.deployed import Deployed
from tests.e2e.shell import Shell

Json = dict[str, Any]
_HOURLY = {
    "version": "0",
    "id": "00000000-0000-4000-8000-000000000000",
    "account": "000000000000",
    "time": "2025-11-28T10:00:00Z",
    "region": "eu-west-1",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "detail": {},
    "resources": [],
}


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """A stack of its own, to be damaged."""
    with started() as stack:
        yield Deployed(stack)


@pytest.fixture
def auditor(deployed: Deployed, tmp_path: Path) -> Shell:
    """The shell of the local user, who may look at everything and change nothing."""
    return Shell(deployed, tmp_path, (deployed.stack.access_key_id, deployed.stack.secret_access_key))


def ingested(deployed: Deployed, number: int) -> str:
    """Take in one event; answers the key of its object."""
    event = {"source": "depot", "event_type": "step", "entity_id": "one", "event_time": "2025-11-28T10:00:00Z"}
    answer = deployed.post("/ingest", event | {"payload": number})
    assert answer.status == 201, answer.data
    key: str = answer.json()["s3_key"]
    return key


def refused(deployed: Deployed, number: int) -> str:
    """Have an event refused; answers the key of its object."""
    answer = deployed.post("/ingest", {"source": "depot", "payload": number})
    assert answer.status == 400, answer.data
    return keys.rejected_object(answer.json()["rejected_id"])


def an_hour_passes(deployed: Deployed) -> None:
    """Call the function as its schedule does."""
    [function] = [
        each["PhysicalResourceId"]
        for each in deployed.admin.cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        if each["LogicalResourceId"] == "Digest"
    ]
    answer = deployed.admin.functions.invoke(FunctionName=function, Payload=json.dumps(_HOURLY).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()


def checked(auditor: Shell, *arguments: str) -> list[tuple[str, Any]]:
    """Which differences are found in which digests and objects."""
    code, found, said = auditor.run("check", "verify", "--digests", *arguments)
    assert code == bool(found), said
    return sorted((each["difference"], each["s3_key"] if "s3_key" in each else each["sequence"]) for each in found)


def signed_in_some_hours(deployed: Deployed, hours: int) -> None:
    """Write the next digest as its function will at a later hour: nobody waits here until an object must be listed."""
    stack, s3 = deployed.stack, deployed.admin.s3
    listed = s3.list_objects_v2(Bucket=stack.raw_bucket, Prefix=keys.DIGESTS)["Contents"]
    sequence = len(listed)
    before = s3.get_object(Bucket=stack.raw_bucket, Key=keys.digest(sequence))["Body"].read()
    then = shifted(instant_of(datetime.now(UTC)), hours * 3_600_000_000_000)
    origin = Origin(stack.raw_bucket, stack.digest_key_arn)
    head = next_head(KeptDigest(sequence, before), then, origin, drained=True, objects=0)
    part = signed_part(head, ())
    signature = KmsSigner(deployed.admin.kms, origin.key_arn).sign(sha256(part).digest())
    s3.put_object(
        Bucket=stack.raw_bucket, Key=keys.digest(head.sequence), Body=with_signature(part, signature, origin.key_arn)
    )


def added_unseen(deployed: Deployed, key: str) -> None:
    """Put an object into the bucket while notifications are off."""
    s3, bucket = deployed.admin.s3, deployed.stack.raw_bucket
    told = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}\n")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": told})


def public_key(auditor: Shell, deployed: Deployed) -> Path:
    """The public key in a file, as somebody keeps it."""
    answer = deployed.admin.kms.get_public_key(KeyId=deployed.stack.digest_key_arn)
    path = auditor.directory / "digests.der"
    path.write_bytes(answer["PublicKey"])
    return path


def test_what_root_does_to_objects_and_digests_is_found_and_nothing_else(auditor: Shell, deployed: Deployed) -> None:
    s3, bucket = deployed.admin.s3, deployed.stack.raw_bucket
    overwritten, hidden, deleted, sound = (ingested(deployed, number) for number in range(4))
    removed, replaced = refused(deployed, 0), refused(deployed, 1)
    an_hour_passes(deployed)
    in_an_edited_digest = ingested(deployed, 4)
    an_hour_passes(deployed)
    an_hour_passes(deployed)  # nothing was written: a digest all the same
    assert checked(auditor) == []

    s3.put_object(Bucket=bucket, Key=overwritten, Body=b'{"forged":true}\n')
    s3.delete_object(Bucket=bucket, Key=hidden)
    [version] = s3.list_object_versions(Bucket=bucket, Prefix=deleted)["Versions"]
    s3.delete_object(Bucket=bucket, Key=deleted, VersionId=version["VersionId"])
    added = sound.replace("source=depot", "source=forged")
    added_unseen(deployed, added)
    s3.put_object(Bucket=bucket, Key=replaced, Body=b"{}")
    [version] = s3.list_object_versions(Bucket=bucket, Prefix=removed)["Versions"]
    s3.delete_object(Bucket=bucket, Key=removed, VersionId=version["VersionId"])
    added_to_quarantine = f"{removed}.added"
    added_unseen(deployed, added_to_quarantine)
    an_hour_passes(deployed)
    for hours in range(1, 6):
        signed_in_some_hours(deployed, hours)
    of_objects = [
        ("listed-missing", deleted),
        ("listed-missing", removed),
        ("object-hidden", hidden),
        ("object-overwritten", overwritten),
        ("object-overwritten", replaced),
        ("object-unlisted", added),
        ("object-unlisted", added_to_quarantine),
    ]
    assert checked(auditor) == of_objects

    edited = "digests/000000000/000000000002.ndjson"
    content = s3.get_object(Bucket=bucket, Key=edited)["Body"].read()
    s3.put_object(Bucket=bucket, Key=edited, Body=content.replace(b'"size":', b'"size":1'))
    s3.delete_object(Bucket=bucket, Key="digests/000000000/000000000003.ndjson")
    key = public_key(auditor, deployed)

    # What an edited digest lists is not believed, so its object counts as listed by none.
    assert checked(auditor, "--public-key", str(key)) == sorted(
        [
            ("digest-changed", 2),
            ("digest-missing", 3),
            ("digest-rewritten", 2),
            ("digest-rewritten", 3),
            *of_objects,
            ("object-unlisted", in_an_edited_digest),
        ]
    )
