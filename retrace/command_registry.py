"""The commands, each imported when it is called, because importing all takes longer than most of them run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from retrace.command_options import Command, named, options_of_a_group

PLACES = {
    "ingest": "retrace.commands.ingest:ingest",
    "sources": "retrace.commands.sources:sources",
    "events": "retrace.commands.search:events",
    "event": "retrace.commands.event:event",
    "late": "retrace.commands.late:late",
    "stale": "retrace.commands.late:stale",
    "gaps": "retrace.commands.gaps:gaps",
    "freshness": "retrace.commands.sources:freshness",
    "rejected list": "retrace.commands.rejected:list_rejected",
    "rejected get": "retrace.commands.rejected:get_rejected",
    "rejected retry": "retrace.commands.rejected:retry_rejected",
    "replay create": "retrace.commands.replays:create",
    "replay preview": "retrace.commands.replays:preview",
    "replay list": "retrace.commands.replays:list_replays",
    "replay get": "retrace.commands.replays:get_replay",
    "replay cancel": "retrace.commands.replays:cancel",
    "replay dead-letters": "retrace.commands.dead_letters:dead_letters",
    "replay redrive": "retrace.commands.dead_letters:redrive",
    "destinations": "retrace.commands.replays:destinations",
    "explain": "retrace.commands.explain:explain",
    "aggregates get": "retrace.commands.aggregates:get_aggregates",
    "aggregates diff": "retrace.commands.diff:diff",
    "aggregates inputs": "retrace.commands.aggregates:inputs",
    "metrics apply": "retrace.commands.metrics:apply",
    "metrics try": "retrace.commands.metrics:try_metrics",
    "metrics list": "retrace.commands.metrics:list_metrics",
    "metrics show": "retrace.commands.metrics:show",
    "metrics values": "retrace.commands.values:values",
    "metrics retire": "retrace.commands.metrics:retire",
    "export": "retrace.commands.export:export",
    "sql": "retrace.commands.sql:sql",
    "check verify": "retrace.commands.verify:verify",
    "check audit": "retrace.commands.audit:audit",
    "check rebuild": "retrace.commands.rebuild:rebuild",
    "doctor": "retrace.commands.doctor:doctor",
    "console": "retrace.commands.console:console",
    "help": "retrace.commands.help:show_help",
}
"""Module and function of each command, in the order that help lists them; the first of two words is a group's."""

GROUPS = {
    "rejected": "List refused events, show one, and retry them, corrected if necessary.",
    "replay": "Send stored events to be processed again, and watch, cancel or redrive such a replay.",
    "aggregates": "Show the versions of a daily aggregate, what changed between two, and the events in one.",
    "metrics": "Define numbers that replays compute, and try them over events.",
    "check": "Compare what is stored with the raw bytes, and write what is missing.",
}

HEADINGS = {
    "Find events": ("events", "event", "sources", "late", "stale", "gaps", "freshness", "export", "sql"),
    "Send events": ("ingest", "rejected"),
    "Compute again": ("replay", "destinations", "explain", "aggregates", "metrics"),
    "Check a deployment": ("doctor", "check"),
    "More": ("console", "help"),
}
"""What help lists below which heading: commands, and groups of them."""


_ONE_LINE = 60
_UsageError: Any = typer.BadParameter.__base__
"""What typer raises of an unknown command, under no name of its own."""


class _Made(Mapping[str, Any]):
    """The commands and groups by name, all or those of one group; asking for one makes it."""

    def __init__(self, group: str) -> None:
        self._before = f"{group} " if group else ""

    def __getitem__(self, name: str) -> Any:
        if not self._before and name in GROUPS:
            return _group(name)
        return _made(name, PLACES[self._before + name])

    def __iter__(self) -> Iterator[str]:
        within = (name.removeprefix(self._before) for name in PLACES if name.startswith(self._before))
        return iter(dict.fromkeys(name.partition(" ")[0] for name in within))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Commands(TyperGroup):
    """The group of all commands, or of those whose first word is that of a group."""

    def __init__(self, *, group: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self._is_root = not group
        self.params = named([*options_of_a_group(), *self.params])
        self.commands: Any = _Made(group)  # nothing is ever added to them
        self._headings = {"Commands": tuple(self.commands)} if group else HEADINGS

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse two shapes of output, wherever they are."""
        options = args[: args.index("--")] if "--" in args else args
        if self._is_root and {"--json", "--table"} <= set(options):
            raise typer.BadParameter("give one of them", ctx=ctx, param_hint="--json, --table")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Name the group of a command that is called without it, as `verify` for `check verify`."""
        try:
            return super().resolve_command(ctx, args)
        except _UsageError as error:
            whole = [name for name in PLACES if name.partition(" ")[2] == args[0]]
            if self._is_root and whole:
                error.message = f"No such command {args[0]!r}. Did you mean {' or '.join(map(repr, whole))}?"
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands below their headings, then the options."""
        for heading, names in self._headings.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(_ONE_LINE)) for name in names])
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write nothing: the commands are above the options."""


def _group(name: str) -> Commands:
    told = GROUPS[name]
    return Commands(group=name, name=name, help=told, short_help=told, no_args_is_help=True, rich_markup_mode=None)


def _made(name: str, place: str) -> Any:
    """The docstring is the help: the first sentence in the list of commands, examples on lines of their own."""
    module, _, function = place.partition(":")
    callback = getattr(import_module(module), function)
    docstring = inspect.getdoc(callback) or ""
    info = CommandInfo(
        name,
        cls=Command,
        callback=callback,
        short_help=docstring.partition("\n")[0],
        help=docstring.replace("\n\nretrace ", "\n\n\b\nretrace "),
    )
    return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
