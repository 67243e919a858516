"""Splits long lists: batches to write, pages to read, and the cursors that continue them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from chalicelib.core.errors import Fault, InvalidRequest

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")


def chunked(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive parts of at most `size` items, of anything that can be gone through once."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def chunked_by_size(
    items: Iterable[T], size_of: Callable[[T], int], most_items: int, most_size: int
) -> Iterator[list[T]]:
    """Consecutive parts of so many items and so large at most; an item that is larger stands alone."""
    part: list[T] = []
    size = 0
    for item in items:
        more = size_of(item)
        if part and (len(part) == most_items or size + more > most_size):
            yield part
            part, size = [], 0
        part.append(item)
        size += more
    if part:
        yield part


class Paged(Protocol):
    """A page that says up to which position it was read."""

    @property
    def read_to(self) -> str | None:
        """The position to continue after; None at the end."""


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """Items in order, and the position up to which they were read, None if to the end."""

    items: tuple[T, ...]
    read_to: str | None

    @property
    def brought(self) -> int:
        """How many rows were fetched."""
        return len(self.items)


P = TypeVar("P", bound=Paged)


def every_page(read: Callable[[str | None], P], after: str | None = None) -> Iterator[P]:
    """Pages from the first, or the one after a position, to the last, each read on demand."""
    page = read(after)
    yield page
    while page.read_to is not None:
        page = read(page.read_to)
        yield page


_CHECKSUM_BYTES = 12
_PAD = "="  # left out of cursors, as URLs escape it


def query_fingerprint(query: BaseModel) -> Mapping[str, object]:
    """Everything that a cursor must be asked with again; the page's size may change."""
    return query.model_dump(exclude={"cursor", "limit"}, mode="json")


def to_cursor(fingerprint: Mapping[str, object], position: str | None) -> str | None:
    """The cursor that continues a query after a position; None if nothing is left.

    The checksum detects a damaged cursor, or one of another query. It is not a secret: a position contains nothing
    that its query would not return.
    """
    if position is None:
        return None
    content = _checksum(fingerprint, position) + position.encode()
    return base64.urlsafe_b64encode(content).decode().rstrip(_PAD)


def from_cursor(fingerprint: Mapping[str, object], cursor: str | None) -> str | None:
    """The position of a cursor; raises InvalidRequest for one that was changed or belongs to another query."""
    if cursor is None:
        return None
    try:
        content = base64.b64decode(cursor + _PAD * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = content[_CHECKSUM_BYTES:].decode()
    except (binascii.Error, ValueError) as error:
        raise invalid_cursor() from error
    if not position or to_cursor(fingerprint, position) != cursor:
        raise invalid_cursor()
    return position


def _checksum(fingerprint: Mapping[str, object], position: str) -> bytes:
    content = json.dumps([fingerprint, position], sort_keys=True, ensure_ascii=False)
    return sha256(f"retrace:cursor\n{content}".encode()).digest()[:_CHECKSUM_BYTES]


def invalid_cursor() -> InvalidRequest:
    """The error for a cursor that this query did not return."""
    message = "was changed, or belongs to another query; begin again without it"
    return InvalidRequest("The cursor does not fit the query.", (Fault("cursor", message),))
