"""Telling a waiting person what is going on."""

from collections.abc import Callable

Progress = Callable[[str], None]
"""Told, in a few words, what is about to happen."""


def silent(_: str) -> None:
    """Tell nobody."""
