"""Counts the words of a page, and in its prose the semicolons and the words that leave open who acts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^( *)```.*?^\1```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]+`")
_LINK = re.compile(r"(\[(?:[^\[\]]|\[[^\[\]]*\])*\])\([^)]*\)")
_CELL = re.compile(r"(?<=\|)[^|\n]*(?=\|)")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"\w[\w'-]*")
_VAGUE = re.compile(r"\b(?:whoever|nobody|anew|somebody)\b", re.IGNORECASE)
_NAME = "NAME"


@dataclass(frozen=True)
class Count:
    """The words of a whole page as `wc -w` counts them, and of its prose words, semicolons and vague words."""

    words: int
    prose: int
    semicolons: int
    vague: int

    def for_1000(self, number: int) -> float:
        """A number for 1,000 words of prose."""
        return round(1000 * number / max(1, self.prose), 1)


def count(page: str) -> Count:
    """Count a page of Markdown."""
    text = prose(page)
    return Count(len(page.split()), len(_WORD.findall(text)), text.count(";"), len(_VAGUE.findall(text)))


def prose(page: str) -> str:
    """The sentences, headings and cells of a page; code within them is one word, and cells of code alone are none."""
    text = _LINK.sub(r"\1", _CODE.sub(_NAME, _BLOCK.sub("", page)))
    return _CELL.sub(lambda cell: cell[0] if _LETTER.search(cell[0].replace(_NAME, "")) else " ", text)
