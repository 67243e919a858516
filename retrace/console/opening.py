"""A link opened in the browser, past the list of processes: its token is in no command line."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

_PAGE = '<!doctype html><meta http-equiv="refresh" content="0;url={link}"><a href="{link}">The console</a>'


@contextmanager
def opened(link: str, browse: Callable[[str], object] = webbrowser.open) -> Iterator[None]:
    """Open a link by way of a file that only its owner may read; it is there until the end."""
    with TemporaryDirectory(prefix="retrace-console-", ignore_cleanup_errors=True) as directory:  # its owner's alone
        page = Path(directory) / "console.html"
        page.touch(0o600)
        page.write_text(_PAGE.format(link=escape(link)), encoding="utf-8")
        # Some browsers come back when they are closed only, and wait for the console meanwhile.
        Thread(target=browse, args=(page.as_uri(),), daemon=True).start()
        yield
