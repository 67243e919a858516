"""How the browser is told where the console is."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from retrace.console.opening import opened

LINK = "http://127.0.0.1:4630/entity?id=a&day=2025-11-28#token=the-token"


def test_the_browser_is_given_no_token_but_a_file_that_only_its_owner_reads() -> None:
    given: list[str] = []
    with opened(LINK, given.append):
        [address] = given
        page = Path(unquote(urlsplit(address).path))
        modes = {stat.S_IMODE(place.stat().st_mode) for place in (page, page.parent)}
        text = page.read_text()

    assert "token" not in address
    assert modes == {0o600, 0o700}
    assert "url=http://127.0.0.1:4630/entity?id=a&amp;day=2025-11-28#token=the-token" in text
    assert not page.exists()
