"""What a process makes once and keeps: settings, clients, secrets."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

R = TypeVar("R")

_kept: list[_lru_cache_wrapper[Any]] = []


def once(make: Callable[..., R]) -> _lru_cache_wrapper[R]:
    """Make a thing when it is first needed, and keep it until `forget`."""
    kept = lru_cache(maxsize=None)(make)
    _kept.append(kept)
    return kept


def forget() -> None:
    """Forget all that is kept. The next use makes it again, from the environment as it is then. For tests."""
    for each in _kept:
        each.cache_clear()
