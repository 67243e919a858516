"""Opens the stores of a deployment with the caller's rights, and the settings that its rows depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from chalicelib.core.timestamps import instant_of, shifted
from chalicelib.runtime.settings import Settings
from retrace.checking.judging import Rules
from retrace.checking.stores import RawBucket, Stores, Tables
from retrace.context import CommandContext
from retrace.problem import Exit, Problem

_NANOSECONDS = 1_000_000_000
_SECONDS_A_DAY = 86_400
IN_FLIGHT_S = 60
"""An ingest request has written its rows after half as long, or never will."""

_ELSE = "Default: that of the stack or the profile"

Shards = Annotated[int | None, typer.Option("--shards", min=1, max=64, help=f"TYPE_DAY_SHARDS. {_ELSE}.")]
LateAfter = Annotated[int | None, typer.Option("--late-after-s", min=0, help=f"LATE_AFTER_SECONDS. {_ELSE}.")]
IdentityTtl = Annotated[int | None, typer.Option("--identity-ttl-days", min=0, help=f"DEDUPE_TTL_DAYS. {_ELSE}.")]


@dataclass(frozen=True, slots=True)
class RowSettings:
    """What a deployment decides of rows."""

    shards: int
    late_after_s: int
    identity_ttl_days: int

    @property
    def late_after_ms(self) -> int:
        """From which lag on an event is listed as late."""
        return self.late_after_s * 1_000

    @property
    def identity_ttl_s(self) -> int | None:
        """Seconds until an identity expires; None where it never does."""
        return self.identity_ttl_days * _SECONDS_A_DAY or None


def row_settings(
    call: CommandContext, shards: int | None, late_after_s: int | None, identity_ttl_days: int | None
) -> RowSettings:
    """As given, else as the stack or the profile says, else the default."""

    def chosen(given: int | None, name: str) -> int:
        if given is not None:
            return given
        known = call.target.known(name)
        try:
            return int(Settings.model_fields[name].default if known is None else known)
        except ValueError as error:
            remedy = "Correct the profile, or give the option."
            raise Problem(f"{name} is {known}, which is not a number.", remedy, Exit.USAGE) from error

    return RowSettings(
        chosen(shards, "type_day_shards"),
        chosen(late_after_s, "late_after_seconds"),
        chosen(identity_ttl_days, "dedupe_ttl_days"),
    )


def stores_of(call: CommandContext, events: str | None = None, dedupe: str | None = None) -> Stores:
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


def rules_of(call: CommandContext, settings: RowSettings) -> Rules:
    """What rows are judged by, now."""
    now = instant_of(call.clock())
    ttl = settings.identity_ttl_s
    return Rules(
        settings.shards,
        settings.late_after_ms,
        expired_before=shifted(now, -ttl * _NANOSECONDS) if ttl else None,
        in_flight_from=shifted(now, -IN_FLIGHT_S * _NANOSECONDS),
        identity_ttl_s=ttl,
    )
