"""How the browser is told where the console is."""

from __future__ import annotations

import stat
from pathlib import Path
from queue import Queue
from threading import Event
from urllib.parse import unquote, urlsplit

from retrace.commands.console import opened

LINK = "http://127.0.0.1:4630/entity?id=a&day=2025-11-28#token=the-token"


def test_the_browser_is_given_no_token_but_a_file_that_only_its_owner_reads() -> None:
    given: Queue[str] = Queue()
    with opened(LINK, given.put):
        address = given.get(timeout=60)
        page = Path(unquote(urlsplit(address).path))
        modes = {stat.S_IMODE(place.stat().st_mode) for place in (page, page.parent)}
        text = page.read_text()

    assert "token" not in address
    assert modes == {0o600, 0o700}
    assert "url=http://127.0.0.1:4630/entity?id=a&amp;day=2025-11-28#token=the-token" in text
    assert not page.exists()


def test_a_browser_that_comes_back_when_it_is_closed_does_not_keep_the_console_from_answering() -> None:
    served, waited = Event(), Event()

    def browse(_: str) -> None:
        served.wait(60)
        waited.set()

    with opened(LINK, browse):
        served.set()

    assert waited.wait(60)
