"""Where a deployment stores events, opened as the caller; its settings that rows depend on; refusals in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.seam import code_of
from chalicelib.config import Settings
from chalicelib.domain.errors import RetraceError, TryAgain
from chalicelib.domain.timestamps import instant_of, shifted
from retrace.calling import Calling
from retrace.checking.bucket import RawBucket
from retrace.checking.matching import Rules
from retrace.checking.tables import Tables
from retrace.problem import Exit, Problem

_NANOSECONDS = 1_000_000_000
_SECONDS_A_DAY = 86_400
IN_FLIGHT_S = 60
"""An ingest request has written its rows after half as long, or never will."""

SHARDS: int = Settings.model_fields["type_day_shards"].default
LATE_AFTER_S: int = Settings.model_fields["late_after_seconds"].default
TTL_DAYS: int = Settings.model_fields["dedupe_ttl_days"].default

Shards = Annotated[
    int, typer.Option("--shards", envvar="TYPE_DAY_SHARDS", min=1, max=64, help="TYPE_DAY_SHARDS of the deployment.")
]
LateAfter = Annotated[
    int,
    typer.Option("--late-after-s", envvar="LATE_AFTER_SECONDS", min=0, help="LATE_AFTER_SECONDS of the deployment."),
]
IdentityTtl = Annotated[
    int,
    typer.Option("--identity-ttl-days", envvar="DEDUPE_TTL_DAYS", min=0, help="DEDUPE_TTL_DAYS of the deployment."),
]


@dataclass(frozen=True)
class Stores:
    """The raw bucket and the tables."""

    bucket: RawBucket
    tables: Tables


def stores_of(call: Calling, events: str | None = None, dedupe: str | None = None) -> Stores:
    """Those of the target, or tables of other names."""
    target = call.target
    return Stores(
        RawBucket(target.client("s3"), target.stored_in("raw_bucket")),
        Tables(
            target.client("dynamodb"),
            events or target.stored_in("events_table"),
            dedupe or target.stored_in("dedupe_table"),
            target.stored_in("aggregates_table"),
        ),
    )


def rules_of(call: Calling, shards: int, late_after_s: int, identity_ttl_days: int) -> Rules:
    """What rows are judged by, now."""
    now = instant_of(call.clock())
    ttl = identity_ttl_days * _SECONDS_A_DAY
    return Rules(
        shards,
        late_after_s * 1_000,
        expired_before=shifted(now, -ttl * _NANOSECONDS) if ttl else None,
        in_flight_from=shifted(now, -IN_FLIGHT_S * _NANOSECONDS),
    )


def ttl_s(identity_ttl_days: int) -> int | None:
    """Seconds until an identity expires; None where it never does."""
    return identity_ttl_days * _SECONDS_A_DAY or None


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """Raise Problem in place of what AWS refuses."""
    try:
        yield
    except ClientError as error:
        raise _problem(f"AWS refused a call: {error}", code_of(error)) from error
    except RetraceError as error:
        cause = error.__cause__
        code = code_of(cause) if isinstance(cause, ClientError) else ""
        raise _problem(str(error), code, again=isinstance(error, TryAgain)) from error
    except BotoCoreError as error:
        raise Problem(f"AWS cannot be reached: {error}", "Try again; what is done stays done.", Exit.UNREACHABLE) from (
            error
        )


def _problem(what: str, code: str, *, again: bool = False) -> Problem:
    if again:
        return Problem(what, "Try again; what is done stays done.", Exit.UNREACHABLE)
    if code.startswith("AccessDenied"):
        return Problem(what, "This command uses your own rights in AWS; docs/cli.md has the policy that it needs.")
    if code in ("ResourceNotFoundException", "NoSuchBucket"):
        return Problem(what, "There is no such table or bucket: create it first, or name another.")
    return Problem(what, "Put that right and try again; what is done stays done.")
