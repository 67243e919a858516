"""SnapStart on the embedded AWS, where a Python has it: what is published, and what the alias names."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from embedded import stack
from embedded.admin import Admin
from embedded.bundle import packaged
from embedded.client import Api
from embedded.deployment import deploy
from infra.command import Problem, silent
from infra.command import Problem as EmbeddedProblem
from infra.merge import RUNTIME, WITHOUT_SNAPSHOTS

ON = {"SnapStart": "true"}

# Each Python has one of the two: no emulator has another runtime than that of the Python that it runs on.
if RUNTIME == WITHOUT_SNAPSHOTS:

    def test_a_runtime_without_snapshots_cannot_start_from_them() -> None:
        with pytest.raises((Problem, EmbeddedProblem), match="SnapStart"), stack.started(parameters=ON):
            pass

else:

    def published(admin: Admin, function: str) -> list[tuple[str, str]]:
        """What a function's aliases name: the version, and a setting that it has."""
        names = [each["FunctionName"] for each in admin.functions.list_functions()["Functions"]]
        [name] = [each for each in names if function in each]
        versions = admin.functions.list_versions_by_function(FunctionName=name)["Versions"]
        aliases = admin.functions.list_aliases(FunctionName=name)["Aliases"]
        assert len(versions) == len(aliases) + 1, "the versions before are deleted"
        settings = {each["Version"]: each["Environment"]["Variables"]["LATE_AFTER_SECONDS"] for each in versions}
        return [(alias["FunctionVersion"], settings[alias["FunctionVersion"]]) for alias in aliases]

    def test_a_version_is_published_for_each_change_of_a_setting_and_only_while_it_is_on(tmp_path: Path) -> None:
        with stack.started(tmp_path, parameters=ON) as running:
            admin = Admin.of(running)
            assert Api(running).call("GET", "/health").status == HTTPStatus.OK
            assert published(admin, "APIHandler") == published(admin, "IngestHandler") == [("1", "3600")]

            deploy(admin, packaged(silent), {**ON, "LateAfterSeconds": "60"})
            assert Api(running).call("GET", "/health").status == HTTPStatus.OK
            assert published(admin, "APIHandler") == published(admin, "IngestHandler") == [("2", "60")]

            # MiniStack makes a new API of a changed definition, where AWS changes it: nobody knows its URL here.
            deploy(admin, packaged(silent), {})
            assert published(admin, "APIHandler") == published(admin, "IngestHandler") == []
