"""Chalice's own commands in a fresh clone, where nothing is recorded of any stage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from embedded.bundle import packaged
from embedded.layout import ROOT
from infra.command import silent
from infra.merge import SOURCES, merged


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that Chalice reads, without what a deployment has written into them."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "deployed"))
        elif source.exists():
            shutil.copy2(source, tmp_path / name)
    config = tmp_path / ".chalice/config.json"
    stages = {"dev": {"environment_variables": {"STAGE": "dev"}}}
    config.write_text(json.dumps(json.loads(config.read_text()) | {"stages": stages}))
    return tmp_path


def chalice(clone: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Chalice in the clone, with a region and nothing that would let it into an account."""
    return subprocess.run(  # noqa: S603  # Chalice, of our own environment
        [Path(sys.executable).with_name("chalice"), *arguments],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-west-1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def template(directory: Path, name: str) -> Any:
    return json.loads((directory / name).read_text())


def test_package_runs_and_gives_functions_the_right_to_log_and_no_other(clone: Path) -> None:
    finished = chalice(clone, "package", "out")

    assert finished.returncode == 0, finished.stderr
    resources = template(clone / "out", "sam.json")["Resources"]
    roles = {name: each for name, each in resources.items() if each["Type"] == "AWS::IAM::Role"}
    assert len(roles) == 5
    for role in roles.values():
        [policy] = role["Properties"]["Policies"]
        [statement] = policy["PolicyDocument"]["Statement"]
        assert {action.partition(":")[0] for action in statement["Action"]} == {"logs"}


def test_package_for_terraform_runs(clone: Path) -> None:
    finished = chalice(clone, "package", "--pkg-format", "terraform", "out")

    assert finished.returncode == 0, finished.stderr
    made = template(clone / "out", "chalice.tf.json")["resource"]
    assert made["aws_lambda_function"].keys() == {"api_handler", "planner", "processor", "dead_letters", "digest"}


def test_package_with_the_merged_template_gives_what_make_package_gives(clone: Path) -> None:
    (clone / "infra.json").write_text(merged())

    finished = chalice(clone, "package", "--merge-template", "infra.json", "out")

    assert finished.returncode == 0, finished.stderr
    assert template(clone / "out", "sam.json") == template(packaged(silent), "sam.json")


def test_deploy_makes_nothing_and_says_why(clone: Path) -> None:
    finished = chalice(clone, "deploy")

    assert finished.returncode == 1
    assert "Nothing was deployed" in finished.stderr
    assert "→ Run `make chalice STAGE=dev`" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (clone / ".chalice/deployed").exists()
    assert "Creating" not in finished.stdout
