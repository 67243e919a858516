"""What keeps a commit from being released, told from its version, changelog, changes and tags."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def faults(version: str, changelog: str, changes: str, tags: Collection[str]) -> Iterator[str]:
    """What is wrong, each with what to do. `changes` are those of the working tree, as `git status` lists them."""
    if changes:
        yield f"These files differ from the last commit. Commit or remove them:\n{changes}"
    if f"v{version}" in tags:
        yield f"Version {version} is released: there is a tag v{version}. Set the next version in pyproject.toml."
    found = sections(changelog)
    if not found.get(version):
        yield f"CHANGELOG.md has no section '## [{version}] - <date>' with entries. Add it."
    if found.get("Unreleased"):
        yield (
            f"CHANGELOG.md lists changes under Unreleased. Move them to the section of {version}. If {version} is "
            "released already, move them to a section of the next version and set that in pyproject.toml."
        )


def sections(changelog: str) -> dict[str, str]:
    """What a changelog lists of each version. A version without a date is not released, so its entries do not count."""
    found = {}
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    for heading, end in zip(headings, ends, strict=True):
        if heading[1] == "Unreleased" or heading[2]:
            found[heading[1]] = changelog[heading.end() : end].strip()
    return found
