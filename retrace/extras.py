"""Packages that only some commands need, and the extra of `retrace` that installs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from retrace.problem import Exit, Problem


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a failed import of a package below into the command that installs the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        remedy = f"Run: pip install 'retrace[{name}]'"
        raise Problem(f"The package {error.name} is not installed.", remedy, Exit.USAGE) from error
