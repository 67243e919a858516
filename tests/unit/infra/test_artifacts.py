"""Artifacts: what is deployed is what was packaged, whatever lies under its name."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from infra.account import Artifacts

CODE = b"the code that was packaged"


@pytest.fixture
def artifacts() -> Iterator[Artifacts]:
    with mock_aws():
        artifacts = Artifacts(boto3.client("s3"), "123456789012", "eu-west-1")
        artifacts.prepare()
        # moto reads no conditions, and so would take the refusal of plain HTTP for one of everything.
        boto3.client("s3").delete_bucket_policy(Bucket=artifacts.bucket)
        yield artifacts


def versions(artifacts: Artifacts) -> list[bytes]:
    """The bytes of every version in the bucket."""
    s3 = boto3.client("s3")
    found = s3.list_object_versions(Bucket=artifacts.bucket).get("Versions", [])
    return [
        s3.get_object(Bucket=artifacts.bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
        for each in found
    ]


def test_the_same_content_is_uploaded_once(artifacts: Artifacts) -> None:
    assert artifacts.keep(CODE, ".zip") == artifacts.keep(CODE, ".zip")

    assert versions(artifacts) == [CODE]


@pytest.mark.parametrize("checksum", [{}, {"ChecksumAlgorithm": "SHA256"}])
def test_something_else_under_the_name_of_an_artifact_is_not_deployed(
    artifacts: Artifacts, checksum: dict[str, str]
) -> None:
    key = artifacts.keep(CODE, ".zip")
    s3 = boto3.client("s3")
    s3.put_object(Bucket=artifacts.bucket, Key=key, Body=b"somebody else's code", **checksum)  # type: ignore[arg-type]

    assert artifacts.keep(CODE, ".zip") == key

    assert s3.get_object(Bucket=artifacts.bucket, Key=key)["Body"].read() == CODE
