"""The only place that creates boto3 clients or uses settings, the clock, randomness or threads, each when needed.

All other modules are handed what they use.
"""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from chalicelib.core.errors import NotConfigured
from chalicelib.core.timestamps import Instant, instant_of
from chalicelib.runtime import deadline

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from chalicelib.runtime.settings import Settings

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C", bound=BaseClient)

# Objects that are there at once are looked through for cycles whenever there are so many more of them. A request of a
# thousand events makes that many and drops them all; at Python's 700, looking took a third of its time.
gc.set_threshold(10_000)

# A snapshot has the state of `random`, which the SDK's pauses and ours are drawn from. All environments that start from
# it would draw the same ones, and meet again at each retry. Only Lambda has the hooks, from Python 3.12 on.
with suppress(ModuleNotFoundError):
    from snapshot_restore_py import register_after_restore

    register_after_restore(random.seed)

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0

_CONNECT_TIMEOUT_S = 1
_READ_TIMEOUT_S = 5
_ATTEMPT_S = _CONNECT_TIMEOUT_S + _READ_TIMEOUT_S
_ATTEMPTS = 3
_LONGEST_WAIT_OF_SDK_S = 2 ** (_ATTEMPTS - 2)


_kept: list[_lru_cache_wrapper[Any]] = []


def once(make: Callable[..., R]) -> _lru_cache_wrapper[R]:
    """Make a thing when it is first needed, and keep it until `forget`."""
    kept = lru_cache(maxsize=None)(make)
    _kept.append(kept)
    return kept


def forget() -> None:
    """Forget all that is kept. The next use makes it again, from the environment as it is then. For tests."""
    for each in _kept:
        each.cache_clear()


@once
def settings() -> Settings:
    """The settings of this process."""
    from chalicelib.runtime.settings import settings_from  # noqa: PLC0415  # a model: nothing is checked while a cold function is imported

    return settings_from(os.environ)


def in_lambda() -> bool:
    """Whether Lambda runs this process, and not `chalice local` or a test.

    Lambda sets this variable itself and lets no configuration of a function set, empty or remove it:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


@once
def _client_config(*, checks_parameters: bool = True) -> Config:
    if not (os.environ.get("AWS_DEFAULT_REGION") or boto3.Session().region_name):
        raise NotConfigured(["AWS_DEFAULT_REGION", *settings().missing])
    # The SDK repeats what was throttled, failed or lost, and we what it does not know of: parts of a batch that were
    # left over, and transactions that met others. So the two do not multiply. In this mode it waits at random below an
    # exponential bound, and it has a budget of retries for each client, which successes fill up again:
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    return Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=settings().concurrency,
        # Adapters write the parameters, and mypy holds them against AWS's models. For a transaction of a hundred rows
        # the SDK's own look at them takes as long as serialising, signing and parsing; for S3 it takes nothing.
        parameter_validation=checks_parameters,
        # The caller's name in one piece: the SDK would build it again for each call, from parts that never change.
        # That is a fifth of its time for a single event.
        user_agent=f"Retrace Boto3/{boto3.__version__}",
    )


def _bounded(client: C) -> C:
    """A client whose calls and retries fit into the time of the invocation."""
    service = client.meta.service_model.service_id.hyphenize()
    events: Any = client.meta.events  # the stubs know no handlers that answer
    events.register_first(f"before-call.{service}", _no_late_call)
    events.register_first(f"needs-retry.{service}", _no_late_retry)
    return client


def _no_late_retry(**_: object) -> bool | None:
    """What the SDK asks after each attempt; the first that answers decides, and False stands for no retry."""
    return None if deadline.has_time_for(_ATTEMPT_S + _LONGEST_WAIT_OF_SDK_S) else False


def _no_late_call(**_: object) -> None:
    deadline.require_time_for(_ATTEMPT_S)


def _without_asking(params: dict[str, Any], **_: object) -> None:
    # The SDK would ask S3 for its consent (100 Continue) before it sends an object, however small: a round trip more.
    params["headers"].pop("Expect", None)


def _no_late_piece(parsed: dict[str, Any], **_: object) -> None:
    if "Body" in parsed:
        parsed["Body"] = deadline.BoundedBody(parsed["Body"], _READ_TIMEOUT_S)


@once
def s3() -> S3Client:
    """S3."""
    # What it signs for clients is for the host of the region: S3 answers that of all regions with a redirect at first,
    # and signatures before version 4 leave the headers out.
    own = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    client = _bounded(boto3.client("s3", config=_client_config().merge(own)))
    client.meta.events.register_last("before-call.s3", _without_asking)
    client.meta.events.register("after-call.s3.GetObject", _no_late_piece)
    return client


@once
def dynamodb() -> DynamoDBClient:
    """DynamoDB."""
    return _bounded(boto3.client("dynamodb", config=_client_config(checks_parameters=False)))


@once
def sqs() -> SQSClient:
    """SQS."""
    return _bounded(boto3.client("sqs", config=_client_config(checks_parameters=False)))


@once
def events() -> Any:
    """EventBridge."""
    return _bounded(boto3.client("events", config=_client_config()))


@once
def kms() -> KMSClient:
    """KMS."""
    return _bounded(boto3.client("kms", config=_client_config()))


@once
def secretsmanager() -> SecretsManagerClient:
    """Secrets Manager."""
    return _bounded(boto3.client("secretsmanager", config=_client_config()))


def now() -> Instant:
    """The clock."""
    return instant_of(datetime.now(UTC))


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return id_at(time.time_ns() // 1_000_000)


def id_at(milliseconds: int) -> str:
    """A UUIDv7 of a time that is given."""
    from uuid6 import UUID  # noqa: PLC0415  # API Gateway names requests, so that few functions ever need one

    return str(UUID(int=milliseconds << 80 | int.from_bytes(os.urandom(10)), version=7))


def pause(attempt: int) -> None:
    """Wait before the n-th retry: full jitter below an exponential bound, so that contenders spread out.

    Raises OutOfTime where the retry would come too late.
    """
    bound = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
    deadline.require_time_for(bound + _ATTEMPT_S)
    time.sleep(random.uniform(0, bound))  # noqa: S311  # jitter is no secret


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


@once
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings().concurrency)


def concurrently(function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
    """Apply a function to each item, several at once; a single item stays in this thread.

    If one fails, those that are not begun are dropped, and those that are under way are waited for: what goes on after
    the answer would be frozen with the process, and thawed in the middle of another request.
    """
    todo = list(items)
    if len(todo) < 2 or settings().concurrency == 1:
        return [function(item) for item in todo]
    ours = copy_context()  # the threads know of the invocation's time only what they are told
    futures = [_pool().submit(ours.copy().run, function, item) for item in todo]
    _, unfinished = wait(futures, return_when=FIRST_EXCEPTION)
    wait([future for future in unfinished if not future.cancel()])
    for future in futures:
        if not future.cancelled() and (error := future.exception()):
            raise error
    return [future.result() for future in futures]
