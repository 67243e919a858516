"""AWS clients of the tests' own: what they do is neither counted nor disturbed. Made once, as making them is slow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.client import BaseClient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
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
    client = boto3.client("sqs")
    watch_receipts(client)
    return client


received: list[str] = []
"""The receipt handles of all messages that were received, by tests or by the application."""


def watch_receipts(client: BaseClient) -> None:
    """Keep the receipt handles that a client of SQS is given."""
    client.meta.events.register("after-call.sqs.ReceiveMessage", _keep_receipts)


def _keep_receipts(parsed: Mapping[str, Any], **_: Any) -> None:
    received.extend(message["ReceiptHandle"] for message in parsed.get("Messages", []))


def forget() -> None:
    """Make clients anew, for another AWS."""
    received.clear()
    for client in (s3, dynamodb, sqs):
        client.cache_clear()
