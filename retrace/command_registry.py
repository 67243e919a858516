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
    "sources": "retrace.commands.sources:sources",
    "events": "retrace.commands.search:events",
    "event": "retrace.commands.event:event",
    "late": "retrace.commands.search:late",
    "gaps": "retrace.commands.search:gaps",
    "freshness": "retrace.commands.monitoring:freshness",
    "rejected list": "retrace.commands.rejected:list_rejected",
    "rejected get": "retrace.commands.rejected:get_rejected",
    "rejected retry": "retrace.commands.rejected:retry_rejected",
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
"""Module and function of each command, in the order that help lists them; the first of two words is a group's."""

GROUPS = {"rejected": "List refused events, show one, and retry them, corrected if necessary."}


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
        self.commands: Any = _Made(group)  # nothing is ever added to them


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
        callback=callback,
        short_help=docstring.partition("\n")[0],
        help=docstring.replace("\n\nretrace ", "\n\n\b\nretrace "),
    )
    return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
