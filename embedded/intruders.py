"""Decides which requests a server on this machine refuses: those that a web page sends, and those for another name.

The emulator imports it in its own environment, so it needs nothing but the standard library.
"""

import re
from collections.abc import Iterable
from typing import Final

CONTROL_HEADER: Final = "X-Emulator-Secret"
"""The header of requests that control the emulator itself. A form cannot send it."""

_OWN_NAME = re.compile(r"(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9._-]+\.)?localhost)(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
"""The loopback and names below localhost, which no site can register. A port proves nothing: proxies have their own."""

_TYPED_BY_THE_USER = "none"
"""What Sec-Fetch-Site says of an address from the address bar or a bookmark. A page cannot send it."""


def reason_to_refuse(headers: Iterable[tuple[str, str]]) -> str | None:
    """Return why a request with these headers is refused; None if it may pass."""
    said = [(name.lower(), value) for name, value in headers]
    hosts = [value for name, value in said if name == "host"]
    if len(hosts) != 1 or not _OWN_NAME.fullmatch(hosts[0]):
        return "The Host header does not name this machine. Use 127.0.0.1 or localhost."
    if any(name == "origin" or (name == "sec-fetch-site" and value != _TYPED_BY_THE_USER) for name, value in said):
        return "A web page sent this request. Only programs on this machine may."
    return None
