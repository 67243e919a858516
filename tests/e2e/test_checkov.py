"""What a scanner finds in the packaged template: nothing, but for what is passed over with a reason."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from embedded.bundle import packaged
from embedded.layout import CHECKOV
from infra.command import silent

Json = dict[str, Any]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged template with all statements of its policies: checkov skips a policy with a conditional one."""
    whole = json.loads((packaged(silent) / "sam.json").read_text(), object_hook=_with_every_statement)
    path = tmp_path_factory.mktemp("scanned") / "sam.json"
    path.write_text(json.dumps(whole))
    return path


def _with_every_statement(members: Json) -> Json:
    if isinstance(listed := members.get("Statement"), list):
        members["Statement"] = [each["Fn::If"][1] if "Fn::If" in each else each for each in listed]
    return members


@pytest.fixture(scope="module")
def found(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Json:
    assert CHECKOV.exists(), "It is not installed. `make test` does that."
    finished = subprocess.run(  # noqa: S603  # the scanner of our own environment
        [CHECKOV, "--framework", "cloudformation", "--skip-download", "--output", "json", "--file", template],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout.startswith("{"), finished.stdout + finished.stderr
    report: Json = json.loads(finished.stdout)
    return report


def test_no_check_fails(found: Json) -> None:
    failed = [f"{check['check_id']} {check['resource']}" for check in found["results"]["failed_checks"]]

    assert failed == []
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 120


def test_every_check_that_is_passed_over_has_a_reason(found: Json, template: Path) -> None:
    resources = json.loads(template.read_text())["Resources"]
    skipped = {
        (f"{resource['Type']}.{name}", skip["id"]): skip["comment"]
        for name, resource in resources.items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }

    assert skipped.keys() == {(check["resource"], check["check_id"]) for check in found["results"]["skipped_checks"]}
    assert all(len(comment) > 20 for comment in skipped.values())
