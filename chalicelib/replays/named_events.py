"""Finds the events that a file names: reads it from a position on, and looks their identities up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.core.errors import Fault, InvalidRequest, NotFound
from chalicelib.core.pagination import chunked
from chalicelib.core.ports import Clock, Concurrently
from chalicelib.events.ports import Identities
from chalicelib.events.raw_objects import StoredEvent
from chalicelib.replays.events_file import (
    KEPT_DAYS,
    MONTHS_FOUND,
    MONTHS_KEPT,
    PAGE_BYTES,
    PIECE_BYTES,
    EventsFile,
    Upload,
    Verification,
    ids_in,
    pieces,
)
from chalicelib.replays.ports import EventsFiles

LOOKED_UP_A_CALL = 100
"""As many as DynamoDB reads in one call."""

Named = tuple[str, StoredEvent | None]
"""An id, and its event if there is one."""


@dataclass(frozen=True)
class NamedEvents:
    """The use case behind PUT /events-files/{sha256}, and the events of the files."""

    files: EventsFiles
    identities: Identities
    now: Clock

    def offer(self, sha256: str, size: int) -> EventsFile | Upload:
        """The file, if it was uploaded this month or in the one before, otherwise how to upload it."""
        now = self.now()
        found = self.files.find(sha256, now, MONTHS_FOUND)
        return self.files.upload(sha256, size, now) if found is None else found

    def file(self, sha256: str) -> EventsFile:
        """The file that a new request may name; raises InvalidRequest if there is none."""
        # An upload may have been offered in one month, and be named in the next one.
        found = self.files.find(sha256, self.now(), MONTHS_FOUND + 1)
        if found is None:
            advice = "is unknown, or was uploaded too long ago. Upload it again: retrace replay create --events FILE"
            raise InvalidRequest("The events file is not found.", (Fault("events_file", advice),))
        return found

    def pages(self, sha256: str, page: int, concurrently: Concurrently) -> Iterator[tuple[int, Sequence[Named]]]:
        """The events of a file and the number of their page, from a page on; the whole file is verified before.

        Raises what `verified` does.
        """
        file = self.verified(sha256, concurrently)
        read = partial(self._read, file, concurrently)
        for number, place in enumerate(pieces(file, PAGE_BYTES, page), page):
            ids = ids_in(read(place))
            found = concurrently(self._look_up, chunked(ids, LOOKED_UP_A_CALL))
            known = {event.event_id: event for some in found for event in some}
            yield number, [(each, known.get(each)) for each in ids]

    def verified(self, sha256: str, concurrently: Concurrently) -> EventsFile:
        """The file, once it was read; raises InvalidRequest if it does not have one id a line, sorted, each once.

        Also IntegrityFailure if it is not what its name says or changes meanwhile, and NotFound if it has expired.
        """
        file = concurrently(lambda name: self.files.find(name, self.now(), MONTHS_KEPT), [sha256])[0]
        if file is None:
            raise NotFound(f"The events file {sha256} has expired, {KEPT_DAYS} days after its upload. Upload it again.")
        verification = Verification(file)
        for place in pieces(file, PIECE_BYTES):
            verification.add(self._read(file, concurrently, place))
        verification.end()
        return file

    def _read(self, file: EventsFile, concurrently: Concurrently, place: tuple[int, int]) -> bytes:
        return concurrently(lambda at: self.files.read(file, *at), [place])[0]

    def _look_up(self, ids: Sequence[str]) -> list[StoredEvent]:
        return list(self.identities.first_seen(ids, consistent=True).values())
