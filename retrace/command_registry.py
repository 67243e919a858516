"""The commands, each imported when it is called: to read all of them takes longer than most of them run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

PLACES = {
    "ingest": "retrace.commands.ingest:ingest",
    "events": "retrace.commands.search:events",
    "event": "retrace.commands.search:event",
    "late": "retrace.commands.search:late",
    "gaps": "retrace.commands.search:gaps",
    "freshness": "retrace.commands.monitoring:freshness",
    "rejected": "retrace.commands.monitoring:rejected",
    "replay": "retrace.commands.replays:replay",
    "replays": "retrace.commands.replays:replays",
    "replay-status": "retrace.commands.replays:replay_status",
    "replay-cancel": "retrace.commands.replays:replay_cancel",
    "redrive": "retrace.commands.replays:redrive",
    "aggregates": "retrace.commands.aggregates:aggregates",
    "diff": "retrace.commands.diff:diff",
    "export": "retrace.commands.export:export",
    "verify": "retrace.commands.verify:verify",
    "audit": "retrace.commands.audit:audit",
    "rebuild": "retrace.commands.rebuild:rebuild",
    "doctor": "retrace.commands.doctor:doctor",
    "console": "retrace.commands.console:console",
}
"""Module and function of each command, in the order that help lists them."""


class _Made(Mapping[str, Any]):
    """The commands by name; asking for one makes it."""

    def __getitem__(self, name: str) -> Any:
        return _made(name, PLACES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Made()  # nothing is ever added to them


def _made(name: str, place: str) -> Any:
    """The docstring is the help: the first sentence in the list of commands, examples on lines of their own."""
    module, _, function = place.partition(":")
    callback = getattr(import_module(module), function)
    docstring = inspect.getdoc(callback) or ""
    info = CommandInfo(
        name,
        callback=callback,
        short_help=docstring.partition("\n")[0],
        help=docstring.replace("\n\nretrace ", "\n\n\b\nretrace "),
    )
    return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
