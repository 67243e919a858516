"""What a process has of the world outside: settings, AWS clients, the clock, chance and threads, each made when needed.

This is the only place of boto3's clients, of time and of randomness; everything else is handed what it uses.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from uuid6 import uuid7

from chalicelib.config import Settings, settings_from
from chalicelib.domain.timestamps import Instant, instant_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")
R = TypeVar("R")

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return settings_from(os.environ)


@lru_cache(maxsize=1)
def _client_config() -> Config:
    # Three attempts at one call, each as slow as it may be, take 18 of the 29 seconds that an API function has.
    return Config(
        connect_timeout=1,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=settings().concurrency,
    )


@lru_cache(maxsize=1)
def s3() -> S3Client:
    """S3."""
    return boto3.client("s3", config=_client_config())


@lru_cache(maxsize=1)
def dynamodb() -> DynamoDBClient:
    """DynamoDB."""
    return boto3.client("dynamodb", config=_client_config())


@lru_cache(maxsize=1)
def sqs() -> SQSClient:
    """SQS."""
    return boto3.client("sqs", config=_client_config())


@lru_cache(maxsize=1)
def kms() -> KMSClient:
    """KMS."""
    return boto3.client("kms", config=_client_config())


@lru_cache(maxsize=1)
def secretsmanager() -> SecretsManagerClient:
    """Secrets Manager."""
    return boto3.client("secretsmanager", config=_client_config())


def now() -> Instant:
    """The clock."""
    return instant_of(datetime.now(UTC))


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return str(uuid7())


def pause(attempt: int) -> None:
    """Wait before the n-th retry: full jitter below an exponential bound, so that contenders spread out."""
    bound = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    time.sleep(random.uniform(0, bound))  # noqa: S311  # jitter is no secret


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings().concurrency)


def concurrently(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Apply a function to each item, several at once; a single item stays in this thread."""
    todo = list(items)
    if len(todo) < 2 or settings().concurrency == 1:
        return [function(item) for item in todo]
    return list(_pool().map(function, todo))
