"""How far a list was read, as a cursor names it: a key that the list can hold. Any other was made by somebody else.

A cursor's seal is no secret, so positions are looked at before AWS is asked to go on from them.
"""

from __future__ import annotations

import re

from chalicelib.core.cursors import invalid_cursor

_INSTANT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{9}Z"
_EVENT = rf"TS#{_INSTANT}#EID#[0-9a-f]{{64}}"

EVENT = re.compile(_EVENT, re.ASCII)
LATE = re.compile(r"LAG#\d{15}#EID#[0-9a-f]{64}", re.ASCII)
MESSAGE = re.compile(rf"{_EVENT}(#DUP#{_INSTANT}#[^#\x00]+#\d{{4,6}}|~)?", re.ASCII)
VERSION = re.compile(r"DAY#\d{4}-\d{2}-\d{2}#VER#[^#\x00]+", re.ASCII)
REPLAY = re.compile(r"REPLAY#[^#\x00]+")

_LONGEST = 1_000
"""Bytes; DynamoDB takes 1,024, and bounds are made of positions by a character more."""


def require(kind: re.Pattern[str], position: str | None) -> None:
    """Raise InvalidRequest unless it is a position of this kind of list."""
    if position is not None and not (kind.fullmatch(position) and len(position.encode()) <= _LONGEST):
        raise invalid_cursor()
