"""The files of the page, and whether the two libraries that it uses are among them."""

from __future__ import annotations

from pathlib import Path

from retrace.problem import Exit, Problem

STATIC = Path(__file__).parent / "static"


def require_libraries(static: Path = STATIC) -> None:
    """Raise Problem if the page was installed without its libraries, as from a bare checkout."""
    if not (static / "vendor/fetched").is_file():
        what = "This installation does not contain uPlot and lit-html, which the page uses."
        remedy = "Install the wheel of a release, or run `make page` in the checkout and install from there again."
        raise Problem(what, remedy, Exit.USAGE)
