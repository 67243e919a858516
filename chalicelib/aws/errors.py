"""Translates AWS's errors: throttled or unreachable means try again, anything else is not retried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from chalicelib.core.errors import StorageRefused, TryAgain

_NO_SUCH_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

_WORTH_RETRYING = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "OperationAborted",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


def code_of(error: ClientError) -> str:
    """The error code that AWS gave."""
    return error.response["Error"]["Code"]


def is_denied(code: str) -> bool:
    """Whether an error code says that the caller may not do this, or to a queue that is not there for it."""
    return "AccessDenied" in code or code in _NO_SUCH_QUEUE


def attempts_of(answer: Mapping[str, Any]) -> int:
    """How often AWS was asked for an answer, the SDK's retries included.

    Code that repeats calls counts these. Otherwise the SDK's attempts and ours would multiply.
    """
    return 1 + int(answer.get("ResponseMetadata", {}).get("RetryAttempts", 0))


@contextmanager
def translated(doing: str, denied: type[StorageRefused] = StorageRefused) -> Iterator[None]:
    """Raise TryAgain or StorageRefused in place of botocore's errors; `doing` says what was being done.

    Raises `denied` if AWS says that the caller may not do it.
    """
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code_of(error) in _WORTH_RETRYING or status >= 500:
            raise TryAgain(f"AWS did not take a call while {doing} ({code_of(error)}).") from error
        refused = denied if is_denied(code_of(error)) else StorageRefused
        raise refused(f"AWS refused a call while {doing} ({code_of(error)}).") from error
    except (BotoCoreError, HTTPClientError) as error:
        raise TryAgain(f"AWS could not be reached while {doing} ({type(error).__name__}).") from error
