"""AWS clients of the tests' own: what they do is neither counted nor disturbed. Made once, as making them is slow."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@lru_cache(maxsize=1)
def s3() -> S3Client:
    return boto3.client("s3")


@lru_cache(maxsize=1)
def dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb")


@lru_cache(maxsize=1)
def sqs() -> SQSClient:
    return boto3.client("sqs")


@lru_cache(maxsize=1)
def kms() -> KMSClient:
    return boto3.client("kms")


received: list[str] = []
"""The receipt handles of all messages that were delivered, to tests or to the application."""


def forget() -> None:
    """Make clients anew, for another AWS."""
    for client in (s3, dynamodb, sqs, kms):
        client.cache_clear()
