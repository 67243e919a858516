"""The context of a command: its target, the time, and options that many commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from chalicelib.core.timestamps import Instant, instant_of
from retrace.client import Client
from retrace.output import short_time
from retrace.target import Target
from retrace.target_resolution import Chosen, find_target
from retrace.times import EXAMPLES, parse_day, parse_end, parse_time


def _shape(context: typer.Context, value: bool | None) -> bool | None:
    call = command_context(context)
    call.as_json = call.as_json if value is None else value
    return call.as_json


AsJson = Annotated[
    bool | None,
    typer.Option("--json/--table", callback=_shape, help="JSON, one object a line. The default if output is piped."),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most this many.")]

T = TypeVar("T")


@dataclass
class CommandContext:
    """The command line as a whole; nothing is looked for before it is needed."""

    chosen: Chosen = field(default_factory=Chosen)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    as_json: bool | None = None

    @cached_property
    def target(self) -> Target:
        """The deployment to talk to."""
        return find_target(self.chosen, os.environ, Path.cwd())

    @cached_property
    def client(self) -> Client:
        """Its API."""
        return Client(self.target)

    @property
    def now(self) -> Instant:
        """The time it is."""
        return instant_of(self.clock())

    def window(self, since: str | None, until: str | None) -> tuple[Instant | None, Instant | None]:
        """The instants that --since and --until mean, the first of which is before the second."""
        start = self.time(since, "--since")
        end = self._meant(until, lambda text, now: parse_end(text, now, start), "--until")
        if start is not None and end is not None and start >= end:
            times = f"{short_time(start)} is not before {short_time(end)}"
            raise typer.BadParameter(f"must lie before --until, which is excluded: {times}", param_hint="--since")
        return start, end

    def time(self, text: str | None, option: str) -> Instant | None:
        """The instant that an option means."""
        return self._meant(text, parse_time, option)

    def day(self, text: str | None, option: str) -> str | None:
        """The UTC day that an option means."""
        return self._meant(text, parse_day, option)

    def _meant(self, text: str | None, parse: Callable[[str, datetime], T], option: str) -> T | None:
        if text is None:
            return None
        try:
            return parse(text, self.clock())
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from error


def command_context(context: typer.Context) -> CommandContext:
    """What a command is called with."""
    return context.find_root().ensure_object(CommandContext)


TIME_HELP = f"A time: {EXAMPLES}."


def nothing_selected(source: str | None, event_types: Sequence[str | None]) -> typer.BadParameter:
    """What is missing where no entity is named, and only one of source and type, or neither."""
    listed = "`retrace sources` lists them"
    if source is not None:
        return typer.BadParameter(f"give a type of the source, too: {listed}", param_hint="--type")
    if any(event_types):
        return typer.BadParameter(f"give the source of the type, too: {listed}", param_hint="--source")
    return typer.BadParameter("name an entity, or give --source and --type", param_hint="ENTITY")
