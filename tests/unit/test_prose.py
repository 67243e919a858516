"""The pages stay short, one fact a sentence, and name who acts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.prose import Count, count, prose

ROOT = Path(__file__).parents[2]
COUNTS = {
    path.relative_to(ROOT).as_posix(): count(path.read_text())
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
}

SEMICOLONS = 1
VAGUE = 1
"""How many of each a page may have for 1,000 words of prose."""

DECISION_LINES = 5

WORDS = {
    "README.md": 830,
    "CONTRIBUTING.md": 1_430,
    "docs/api.md": 4_300,
    "docs/architecture.md": 1_490,
    "docs/cli.md": 2_780,
    "docs/console.md": 680,
    "docs/consumer.md": 890,
    "docs/cost.md": 370,
    "docs/decisions.md": 2_630,
    "docs/deploying.md": 1_060,
    "docs/glossary.md": 860,
    "docs/incident.md": 660,
    "docs/index.md": 710,
    "docs/metrics.md": 970,
    "docs/on-call.md": 650,
    "docs/operations.md": 1_650,
    "docs/performance.md": 340,
    "docs/positions.md": 360,
    "docs/producers.md": 880,
    "docs/producer-python.md": 850,
    "docs/reliability.md": 1_050,
    "docs/runbook.md": 1_790,
    "docs/scale.md": 940,
    "docs/security.md": 1_010,
    "docs/sql.md": 480,
}
"""How many words `wc -w` may count on a page, code and tables included. Lower a number when its page gets shorter."""

ALL_WORDS = 28_000
"""How many the README and docs/ may have together."""


def rates(counted: Count) -> tuple[float, float]:
    """Semicolons and vague words for 1,000 words of prose."""
    return counted.for_1000(counted.semicolons), counted.for_1000(counted.vague)


@pytest.mark.parametrize("page", COUNTS)
def test_a_page_stays_within_its_words(page: str) -> None:
    assert COUNTS[page].words <= WORDS[page]


def test_the_docs_stay_within_their_words_together() -> None:
    assert sum(counted.words for page, counted in COUNTS.items() if page != "CONTRIBUTING.md") <= ALL_WORDS


@pytest.mark.parametrize("page", COUNTS)
def test_a_page_says_one_fact_a_sentence_and_names_who_acts(page: str) -> None:
    semicolons, vague = rates(COUNTS[page])

    assert semicolons <= SEMICOLONS
    assert vague <= VAGUE


def test_every_page_has_a_limit_and_every_limit_a_page() -> None:
    assert WORDS.keys() == COUNTS.keys()


def test_a_decision_takes_at_most_five_lines() -> None:
    sections = re.split(r"^## ", (ROOT / "docs/decisions.md").read_text(), flags=re.MULTILINE)[1:]
    lines = {section.splitlines()[0]: len(section.strip().splitlines()) - 2 for section in sections}

    assert {heading: number for heading, number in lines.items() if number > DECISION_LINES} == {}


def test_blocks_links_and_code_are_no_prose() -> None:
    page = """# A *page*
```sh
echo whoever; done
```
Run `a; b` of [that page](other.md#nobody) anew.
<!-- nobody; -->"""

    assert prose(page).split() == ["#", "A", "*page*", "Run", "NAME", "of", "[that", "page]", "anew."]
    assert count(page) == Count(words=18, prose=8, semicolons=0, vague=1)


def test_cells_of_a_table_are_prose_unless_they_are_code_or_numbers() -> None:
    page = "| name | ms | what |\n| --- | ---: | --- |\n| `a` | 1,200 | it waits; Nobody asks |\n"

    assert count(page) == Count(words=24, prose=7, semicolons=1, vague=1)


def test_the_name_of_a_test_says_who_acts() -> None:
    code = [path.read_text() for path in ROOT.glob("tests/**/*.py")]
    names = [name for text in code for name in re.findall(r"^ *def (test_\w+)", text, re.MULTILINE)]

    assert len(names) > 2_000
    assert [name for name in names if count(name.replace("_", " ")).vague] == []


def test_rates_are_for_1000_words_of_prose() -> None:
    assert rates(count("word; " * 499 + "whoever")) == (998.0, 2.0)
