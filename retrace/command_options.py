"""What every command has in common: options of the deployment, and how help names arguments and options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command_from_info
from typer.models import CommandInfo

from retrace.context import AsJson, command_context
from retrace.target_resolution import names_of_profiles

_METAVARS = {
    "since": "TIME",
    "until": "TIME",
    "directory": "DIRECTORY",
    "delimiter": "CHARACTER",
    "out": "FILE",
    "look_back_days": "DAYS",
    "port": "PORT",
}
"""Of options whose last word, and whose type, do not say what is to be given."""


def _choose(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> None:
    if value is not None:
        call = command_context(context)
        call.chosen = replace(call.chosen, **{str(parameter.name): value})


def _profiles_like(beginning: str) -> list[str]:
    return [name for name in names_of_profiles() if name.startswith(beginning)]


def _of_the_deployment(
    url: Annotated[str | None, typer.Option(callback=_choose, expose_value=False, help="The URL of the API.")] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            callback=_choose,
            expose_value=False,
            help="A profile in ~/.config/retrace/config.toml. Default: RETRACE_PROFILE.",
            autocompletion=_profiles_like,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(callback=_choose, expose_value=False, help="The AWS region, if the URL does not contain it."),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            callback=_choose, expose_value=False, help="The CloudFormation stack, to find tables, bucket and queues."
        ),
    ] = None,
) -> None:
    """The options are all of it."""


def _before_a_command(as_json: AsJson = None) -> None:
    """The options are all of it."""


def _options_of(function: Any) -> list[Any]:
    info = CommandInfo(function.__name__, callback=function)
    return list(get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None).params)


def options_of_a_group() -> list[Any]:
    """What is accepted before the name of any command."""
    return [*_options_of(_of_the_deployment), *(_unexposed(option) for option in _options_of(_before_a_command))]


def _unexposed(option: Any) -> Any:
    option.expose_value = False
    return option


def named(parameters: list[Any]) -> list[Any]:
    """The same parameters, each with a name for what is to be given: SOURCE, TIME, N, FILE, hour|day."""
    for parameter in parameters:
        if parameter.metavar is None:
            parameter.metavar = _metavar(parameter)
    return parameters


def _metavar(parameter: TyperArgument | TyperOption) -> str:
    name, described = str(parameter.name), parameter.type_descriptor
    if isinstance(parameter, TyperArgument):
        return name.upper()
    if described.is_choice:
        return "|".join(map(str, described.choices or ()))
    words = parameter.opts[0].strip("-").replace("-", "_")
    if words in _METAVARS:
        return _METAVARS[words]
    if "Path" in str(described.annotation):
        return "FILE"
    return "N" if described.annotation in (int, float) else words.rpartition("_")[2].upper()


class Command(TyperCommand):
    """A command with the options of the deployment, and help in the style of its groups."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._own = len(self.params)
        self.params = named([*self.params, *_options_of(_of_the_deployment)])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name required arguments without braces."""
        return [piece.translate({ord("{"): None, ord("}"): None}) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List arguments, the command's options, and those of every command."""
        own, others = self.params[: self._own], self.params[self._own :]
        sections: dict[str, list[Any]] = {
            "Arguments": [one for one in own if isinstance(one, TyperArgument)],
            "Options": [
                *(one for one in own if isinstance(one, TyperOption)),
                *filter(None, [self.get_help_option(ctx)]),
            ],
            "Options of every command": others,
        }
        for heading, parameters in sections.items():
            rows = list(_rows(ctx, parameters))
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


def _rows(ctx: Any, parameters: list[Any]) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        row = parameter.get_help_record(ctx)
        if row is not None:
            yield (row[0].partition(" <")[0] if isinstance(parameter, TyperArgument) else row[0]), row[1]
