"""docs/index.md leads to every page of docs/, and each page says what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))

SCREEN = 30
"""Lines."""

_KIND = re.compile(r"# [^\n]+\n\n(?:A tutorial|A how-to|A reference|An explanation): \w")
_LINKED = re.compile(r"\]\((?:docs/)?([\w-]+\.md)(?:#[^)]*)?\)")


def linked(path: Path) -> set[str]:
    """The pages beside it that a page links to."""
    return set(_LINKED.findall(path.read_text()))


def test_the_index_leads_to_every_page_and_the_readme_to_the_index() -> None:
    assert {path.name for path in PAGES} - {"index.md"} <= linked(DOCS / "index.md")
    assert "index.md" in linked(ROOT / "README.md")


def test_every_row_of_the_index_is_a_question_with_a_link() -> None:
    index = (DOCS / "index.md").read_text()
    rows = [row for row in re.findall(r"^\|.*\|$", index, re.MULTILINE) if not re.match(r"\| (?:question|---) \|", row)]

    assert len(rows) > 30
    assert [row for row in rows if not re.fullmatch(r"\| [^|]+\? \| \[[^|]*\) \|", row)] == []


def test_the_index_has_each_question_of_the_page_for_people_on_call_whose_answer_is_a_screen_at_most() -> None:
    sections = re.split(r"^## ", (DOCS / "on-call.md").read_text(), flags=re.MULTILINE)[1:]
    questions = [section.partition("\n")[0] for section in sections]
    asked = re.findall(r"^\| ([^|]+) \| \[[^]]*\]\(on-call\.md#", (DOCS / "index.md").read_text(), re.MULTILINE)

    assert sorted(asked) == sorted(questions)
    assert [section for section in sections if "```sh\n" not in section or len(section.splitlines()) > SCREEN] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.name))
def test_a_page_says_in_its_first_words_what_it_is(path: Path) -> None:
    assert _KIND.match(path.read_text())
