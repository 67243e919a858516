"""docs/cli.md has every command, and help every option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from retrace.command_line import app
from retrace.command_registry import GROUPS, HEADINGS, PLACES
from retrace.problem import Exit

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
ROOT: Any = typer.main.get_command(app)


def made(name: str) -> Any:
    """A command, by its words."""
    found = ROOT
    for word in name.split():
        found = found.commands[word]
    return found


COMMANDS: dict[str, Any] = {name: made(name) for name in PLACES}
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def sections() -> dict[str, str]:
    """What stands below each heading, by its text."""
    parts = re.split(r"^## (.*)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options_of(command: Any) -> set[str]:
    found = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return {name for name in found if name.startswith("-")}


OPTIONS = {name for command in (ROOT, *COMMANDS.values()) for name in options_of(command)}
OF_OTHER_TOOLS = {"--help", "--set", "--query", "--key-id", "--output", "--quiet"}


def test_every_command_has_a_section_and_every_section_of_a_command_has_one() -> None:
    documented = [name.removeprefix("retrace ") for name in sections() if name.startswith("retrace ")]

    assert documented == list(COMMANDS)


def test_every_option_that_the_page_names_is_one_of_a_command() -> None:
    assert set(_OPTION.findall(PAGE)) - OPTIONS - OF_OTHER_TOOLS == set()


def test_options_are_listed_by_help_alone() -> None:
    assert re.findall(r"^- `-.*: ", PAGE, re.MULTILINE) == []


def test_a_group_has_commands_and_only_groups_do() -> None:
    assert {name.partition(" ")[0] for name in COMMANDS if " " in name} == set(GROUPS)
    assert set(GROUPS).isdisjoint(COMMANDS)


def test_help_lists_every_command_below_one_heading() -> None:
    listed = [name for names in HEADINGS.values() for name in names]

    assert sorted(listed) == sorted({name.partition(" ")[0] for name in COMMANDS})


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_of_its_use_in_its_help(name: str) -> None:
    examples = [line for line in (COMMANDS[name].help or "").splitlines() if line.startswith("retrace ")]

    assert any(f" {name} " in f"{line} " for line in examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_says_what_it_is(name: str) -> None:
    assert [parameter.name for parameter in COMMANDS[name].params if not parameter.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_session_that_is_run(name: str) -> None:
    session = "".join(re.findall(r"```sh\n(.*?)```", sections().get(f"retrace {name}", ""), re.DOTALL))

    assert re.search(rf"\bretrace {name}\b", session)


def test_the_exit_codes_are_all_documented() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", sections()["Output"], re.MULTILINE)}

    assert codes == {int(code) for code in Exit}
    assert all(f"{int(code)} " in ROOT.epilog for code in Exit)
