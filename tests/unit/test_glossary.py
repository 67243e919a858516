"""One idea, one word: what docs/glossary.md does not call a thing is not written in product code or docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [path for place in ("*.md", "docs/*.md") for path in ROOT.glob(place) if path.name != "glossary.md"]
CODE = [
    ROOT / "app.py",
    *(
        path
        for place in ("chalicelib", "retrace", "embedded", "infra", "release")
        for path in ROOT.glob(f"{place}/**/*.py")
    ),
]

ALLOWED = {"infra/permissions.py": ["found days"]}
"""A statement of the deployed roles has the word in its name."""

_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", re.MULTILINE)
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")


def rows() -> list[tuple[str, str, list[str]]]:
    """Each word of the glossary, what it is, and what it is not called."""
    _, *found = _ROW.findall((ROOT / "docs/glossary.md").read_text())
    return [
        (word, said, [each.strip() for each in wrong.split(",") if each.strip()]) for word, said, wrong in found[1:]
    ]


def written(text: str, words: list[str]) -> Iterator[str]:
    """The words that a text contains, also as parts of names, in upper or lower case."""
    spaced = _BOUNDARY.sub(" ", text)
    return (word for word in words if re.search(rf"\b{re.escape(word)}\b", spaced, re.IGNORECASE))


GLOSSARY = rows()
WRONG = [word for _, _, words in GLOSSARY for word in words]


def test_the_glossary_says_what_each_word_is_once_and_in_order() -> None:
    words = [word for word, _, _ in GLOSSARY]

    assert len(words) > 50
    assert words == sorted(set(words), key=str.lower)
    assert all(said for _, said, _ in GLOSSARY)


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_thing_has_the_word_of_the_glossary(path: Path) -> None:
    allowed = ALLOWED.get(path.relative_to(ROOT).as_posix(), [])

    assert list(written(path.read_text(), WRONG)) == allowed


def test_a_wrong_word_is_found_in_names_and_sentences_and_not_within_other_words() -> None:
    wrong = ["asker", "found days", "seam", "re-drive"]

    assert list(written("class Asker:\n    FOUND_DAYS = 1\n", wrong)) == ["asker", "found days"]
    assert list(written('"""Behind the seam, re-drive it."""', wrong)) == ["seam", "re-drive"]
    assert list(written("seamless tasker; days that are found", wrong)) == []
