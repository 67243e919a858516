"""Lays out JSON over several lines and keeps every token as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_STEP = "  "


def indented(text: str) -> str:
    """The same tokens, each member and element on a line of its own. The text must be JSON."""
    return "".join(_laid_out(_TOKEN.findall(text)))


def _laid_out(tokens: list[str]) -> Iterator[str]:
    depth = 0
    before = ""
    for piece in tokens:
        if piece in ("}", "]"):
            depth -= 1
            if before not in ("{", "["):
                yield "\n" + _STEP * depth
        elif before in ("{", "[", ","):
            yield "\n" + _STEP * depth
        yield ": " if piece == ":" else piece
        depth += piece in ("{", "[")
        before = piece
