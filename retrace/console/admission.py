"""Who may ask the console what: the address that is asked for, the page that asks, and the token of this start."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

COOKIE = "retrace-console"
MARK = "x-retrace-console"
"""The header that requests for data carry: no form can send it, and no page of another origin without being asked."""

_SAFE = ("GET", "HEAD")
_ALLOWED = (*_SAFE, "POST")


class Kind(StrEnum):
    """What is asked for."""

    PAGE = "page"
    """The page itself and its files: the same for everybody, and without a word of what is stored."""
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request says of itself, as far as it decides who may ask."""

    kind: Kind
    method: str
    host: str | None
    origin: str | None = None
    fetch_site: str | None = None
    """Sec-Fetch-Site: where the browser says that the request comes from; no page can set it."""
    mark: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: HTTPStatus
    why: str


@dataclass(frozen=True, slots=True)
class Door:
    """The addresses that this console answers to, and its token."""

    hosts: tuple[str, ...]
    token: str

    def refusal(self, asking: Asking) -> Refusal | None:
        """Why not; None for a request that may pass."""
        # Another name for this machine is how a page of another site reaches it after rebinding its DNS.
        if asking.host not in self.hosts:
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, f"This console answers to {self.hosts[0]} only.")
        if asking.method not in _ALLOWED or (asking.kind is Kind.PAGE and asking.method not in _SAFE):
            return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "Nothing here takes this method.")
        if asking.origin is not None and asking.origin != f"http://{asking.host}":
            return Refusal(HTTPStatus.FORBIDDEN, "Another page asks.")
        return self._refusal_of_data(asking) if asking.kind is Kind.DATA else None

    def _refusal_of_data(self, asking: Asking) -> Refusal | None:
        if asking.fetch_site not in (None, "same-origin") or not asking.mark:
            return Refusal(HTTPStatus.FORBIDDEN, "This was not asked for by the console's own page.")
        if not self.opens(asking.token):
            return Refusal(HTTPStatus.UNAUTHORIZED, "This browser was not let in by this start of the console.")
        return None

    def opens(self, token: str | None) -> bool:
        """Whether a token is the one of this start."""
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())
