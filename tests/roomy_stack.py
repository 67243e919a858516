"""Tests run on one piece of CPython's stack, so that how deep they are called does not make them ten times as slow.

Python keeps frames in pieces of 16 KiB. Before 3.13.13 and 3.14.4 it asks the system for one whenever a call crosses
into the next. A test that makes many calls right there, as moto does when it copies items, spends its time in mmap and
munmap: https://github.com/python/cpython/issues/142183.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

NEEDED = sys.version_info < (3, 13, 13) or (3, 14) <= sys.version_info < (3, 14, 4)
"""Whether this Python does; 3.11 and 3.12 will not change any more."""

_SLOTS = 70_000
"""Of eight bytes each. Pieces have a power of two, so of the mebibyte that this takes almost half is left for calls."""


def on_one_piece(run: Callable[[], None]) -> None:
    """Run a test."""
    run()


on_one_piece.__code__ = on_one_piece.__code__.replace(co_stacksize=_SLOTS)
