"""`retrace help`: shows the help of a command, as `--help` does."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup


def show_help(
    context: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="A command, or a group of them.")
    ] = None,
) -> None:
    """Show the help of a command or group, or list all of them.

    retrace help replay create
    """
    at = context.find_root()
    for word in command or []:
        if not isinstance(at.command, TyperGroup):
            raise typer.BadParameter(f"{at.command_path} is a command and has none below it", param_hint="COMMAND")
        name, found, _ = at.command.resolve_command(at, [word])
        assert found is not None, "an unknown one raises"  # noqa: S101  # narrows
        at = typer.Context(found, parent=at, info_name=name)
    typer.echo(at.get_help())
