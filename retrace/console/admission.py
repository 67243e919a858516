"""Guards the console: checks the address, the page and the token of each request."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

HEADER = "x-retrace-console"
"""What requests for data carry the token in: no form can send it, and no page of another origin without being asked.

No cookie: browsers send those to every server of this machine, whatever its port.
"""

_SAFE = ("GET", "HEAD")
_ALLOWED = (*_SAFE, "POST")


class Kind(StrEnum):
    """The kind of a request: for the page itself, or for data."""

    PAGE = "page"
    """The page itself and its files: the same for everybody, and without a word of what is stored."""
    DATA = "data"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """The parts of a request that decide whether it is admitted."""

    kind: Kind
    method: str
    host: str | None
    origin: str | None = None
    fetch_site: str | None = None
    """Sec-Fetch-Site: where the browser says that the request comes from; no page can set it."""
    token: str | None = None
    """What the header says; the page says something even if it was not let in."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is not answered."""

    status: HTTPStatus
    why: str


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The addresses that this console answers to, and its token."""

    hosts: tuple[str, ...]
    token: str

    def denial(self, asking: AccessRequest) -> Denial | None:
        """Why not; None for a request that may pass."""
        # Another name for this machine is how a page of another site reaches it after rebinding its DNS.
        if asking.host not in self.hosts:
            return Denial(HTTPStatus.MISDIRECTED_REQUEST, f"This console answers to {self.hosts[0]} only.")
        if asking.method not in _ALLOWED or (asking.kind is Kind.PAGE and asking.method not in _SAFE):
            return Denial(HTTPStatus.METHOD_NOT_ALLOWED, "The console does not support this method.")
        if asking.origin is not None and asking.origin != f"http://{asking.host}":
            return Denial(HTTPStatus.FORBIDDEN, "The request comes from another page.")
        return self._denial_of_data(asking) if asking.kind is Kind.DATA else None

    def _denial_of_data(self, asking: AccessRequest) -> Denial | None:
        if asking.fetch_site not in (None, "same-origin") or not asking.token:
            return Denial(HTTPStatus.FORBIDDEN, "The request does not come from the console's own page.")
        if not hmac.compare_digest(asking.token.encode(), self.token.encode()):
            return Denial(HTTPStatus.UNAUTHORIZED, "This browser has no session with this run of the console.")
        return None
