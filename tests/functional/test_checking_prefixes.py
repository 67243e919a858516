"""A prefix that no raw key begins with, or a day that has nothing, is told apart from one in which nothing differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from retrace.command_line import app
from retrace.problem import Exit, Problem
from tests.functional.application import Application
from tests.functional.events import DAY, paid
from tests.functional.operators import an_operator

BELOW = f"raw/source=shop%2Fcheckout/event_date={DAY}/"


@pytest.mark.parametrize("command", ["verify", "audit"])
@pytest.mark.parametrize(
    ("prefix", "near"),
    [
        ("raw/source=shop/checkout/", "raw/source=shop%2Fcheckout/"),
        ("raw/source=shop%2Fcheckuot/event_date=2026-11-21/", "raw/source=shop%2Fcheckout/"),
        (f"raw/source=shop%2Fcheckout/event_date={DAY[:-1]}/", BELOW),
    ],
)
def test_a_prefix_of_nothing_ends_with_1_and_near_prefixes(
    application: Application, tmp_path: Path, command: str, prefix: str, near: str
) -> None:
    application.accept(paid(1))
    result = checked(tmp_path, command, prefix)

    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code == Exit.DIFFERENT
    assert result.exception.what == f"No key of the bucket begins with {prefix}, so nothing was checked."
    assert result.exception.remedy == f"Did you mean {near}?"


@pytest.mark.parametrize("command", ["verify", "audit"])
def test_a_prefix_of_something_is_checked(application: Application, tmp_path: Path, command: str) -> None:
    application.accept(paid(1))
    result = checked(tmp_path, command, BELOW)

    assert (result.exit_code, "1 objects" in result.stderr) == (Exit.DONE, True)


@pytest.mark.parametrize(("entity", "day"), [("order-1007", "2020-01-01"), ("order-1008", DAY)])
def test_an_entity_and_day_without_anything_are_not_found_also_without_the_api(
    application: Application, tmp_path: Path, entity: str, day: str
) -> None:
    application.accept(paid(1, entity_id="order-1007"))
    found, other = (run(tmp_path, "verify", *asked) for asked in (("order-1007", DAY), (entity, day)))

    assert (found.exit_code, "1 events" in found.stderr) == (Exit.DONE, True)
    assert isinstance(other.exception, Problem)
    assert other.exception.exit_code == Exit.NOT_FOUND
    assert other.exception.what == f"{entity} has no event and no aggregate on {day}."


def checked(directory: Path, command: str, prefix: str) -> Result:
    return run(directory, command, "--prefix", prefix)


def run(directory: Path, *words: str) -> Result:
    an_operator(directory)
    return CliRunner().invoke(app, ["--profile", "test", "check", *words], env={"XDG_CONFIG_HOME": str(directory)})
