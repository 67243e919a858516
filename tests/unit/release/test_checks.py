"""What keeps a commit from being released."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from chalicelib.core.version import VERSION
from release.__main__ import faults, sections

ROOT = Path(__file__).parents[3]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-11-30\n\n- More.\n\n## [1.1.0] - 2026-10-01\n\n- A.\n"


def test_a_clean_commit_with_a_dated_section_of_its_version_can_be_released() -> None:
    assert list(faults("1.2.0", CHANGELOG, "", ["v1.1.0"])) == []


@pytest.mark.parametrize(
    ("version", "changelog", "changes", "tags", "told"),
    [
        ("1.2.0", CHANGELOG, " M app.py", [], "These files differ from the last commit"),
        ("1.2.0", CHANGELOG, "", ["v1.2.0"], "Version 1.2.0 is released"),
        ("1.3.0", CHANGELOG, "", [], "no section '## [1.3.0] - <date>'"),
        ("1.2.0", CHANGELOG.replace(" - 2026-11-30", ""), "", [], "no section '## [1.2.0] - <date>'"),
        ("1.2.0", CHANGELOG.replace("- More.", ""), "", [], "no section '## [1.2.0] - <date>'"),
        ("1.2.0", CHANGELOG.replace("[Unreleased]", "[Unreleased]\n\n- New."), "", [], "under Unreleased"),
        (
            "1.2.0",
            CHANGELOG.replace("[Unreleased]", "[Unreleased]\n\n- New."),
            "",
            [],
            "the next version and set that in",
        ),
    ],
)
def test_each_fault_is_told_with_what_to_do(
    version: str, changelog: str, changes: str, tags: list[str], told: str
) -> None:
    [fault] = faults(version, changelog, changes, tags)

    assert told in fault


def test_the_changelog_has_a_section_of_what_is_unreleased_and_of_this_version_unless_that_is_it() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()

    assert next(iter(sections(text))) == "Unreleased"
    assert VERSION in sections(text) or sections(text)["Unreleased"]
    assert len(sections(text)) == len(re.findall("^## ", text, re.MULTILINE)), "a heading is not understood"


def test_the_notice_names_each_library_of_the_page_with_its_version_and_where_its_licence_is() -> None:
    notice = (ROOT / "NOTICE").read_text()
    locked = json.loads((ROOT / "assets/package-lock.json").read_text())["packages"]

    for name, title in (("uplot", "uPlot"), ("lit-html", "lit-html")):
        package = locked[f"node_modules/{name}"]
        assert f"\n{title} {package['version']}\n  Licence: {package['license']}\n" in notice
        assert f"{name}.LICENSE" in notice


def test_the_licence_is_the_standard_text_and_the_project_says_so() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "LICENSE").read_text()

    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE", "NOTICE"]
    assert text.lstrip().startswith("Apache License\n                           Version 2.0, January 2004")
    assert "END OF TERMS AND CONDITIONS" in text
