"""An operator with the command line, and the loss of the tables that a rebuild writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from retrace.command_line import app
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.events import Json

_LOST = {"EVENTS_TABLE": ("PK", "SK"), "DEDUPE_TABLE": ("event_id",)}
_NO_API = "http://127.0.0.1:9/api"
_PROFILE = {"url": _NO_API, "region": "eu-west-1"} | {
    name: SETTINGS[name.upper()]
    for name in ("raw_bucket", "events_table", "dedupe_table", "replays_table", "aggregates_table")
}


@dataclass(frozen=True)
class Operator:
    """Somebody with the command line."""

    directory: Path

    def run(self, command: str, *arguments: str) -> tuple[int, list[Json]]:
        """How a command ends, and the JSON objects that it answers."""
        result = CliRunner().invoke(
            app, ["--profile", "test", command, "--json", *arguments], env={"XDG_CONFIG_HOME": str(self.directory)}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]

    def told(self, *words: str) -> str:
        """What a command says beside its results."""
        result = CliRunner().invoke(
            app, ["--profile", "test", *words], env={"XDG_CONFIG_HOME": str(self.directory), "COLUMNS": "300"}
        )
        return result.stderr

    def rebuild(self) -> tuple[int, list[Json], Json]:
        """How a rebuild ends, what it lists, and its summary."""
        code, [*listed, summary] = self.run("check", "rebuild", "--checkpoint", str(self.directory / "checkpoint"))
        return code, listed, summary

    def audit(self, *arguments: str) -> list[tuple[str, str]]:
        """What an audit finds, and what becomes of it."""
        code, found = self.run("check", "audit", *arguments)
        assert code == any(each["repair"] != "done" for each in found)
        return [(each["difference"], each["repair"]) for each in found]


def an_operator(directory: Path) -> Operator:
    """One whose profile is in a directory."""
    config = directory / "retrace/config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("".join(["[test]\n", *(f'{name} = "{value}"\n' for name, value in _PROFILE.items())]))
    return Operator(directory)


def lose_tables() -> None:
    """Delete every row of events, arrivals and identities."""
    for table, key in _LOST.items():
        for row in clients.dynamodb().scan(TableName=SETTINGS[table])["Items"]:
            clients.dynamodb().delete_item(TableName=SETTINGS[table], Key={name: row[name] for name in key})
