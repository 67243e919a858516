"""Makes the table `events` of a window: finds raw objects, says how much that is, copies them, chooses the lines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path

import duckdb
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.timestamps import Window
from chalicelib.events.index_pages import days_of
from retrace.answer import Answer, succeeded
from retrace.checking.listing import Found, Listing
from retrace.checking.stores import RawBucket
from retrace.client import Client
from retrace.concurrency import AT_ONCE, in_order
from retrace.known_names import require_known
from retrace.output import Output
from retrace.problem import Exit, Problem
from retrace.progress import Progress, size_text
from retrace.querying.database import Loading, Place
from retrace.querying.download import Download

MUCH = 1_000_000_000
"""Bytes of raw objects that are not read unasked."""

ROOM = 3
"""Bytes on disk for each that is read: its line, and its row."""

MOST_ASKED = 10_000
"""Events with several lines, for each of which the API is asked."""


@dataclass
class EventsTable:
    """The table of some sources and a window, made below a directory."""

    client: Client
    output: Output
    directory: Path
    agreed: Callable[[str], bool]
    """Whether this much is to be read, given in words."""

    def of(self, sources: Sequence[str], window: Window) -> duckdb.DuckDBPyConnection:
        """The database; raises Problem if it would be too much, or cannot be read."""
        days = list(days_of(window))
        s3 = self.client.target.client("s3", Config(max_pool_connections=AT_ONCE))
        bucket = RawBucket(s3, self.client.target.stored_in("raw_bucket"))
        try:
            found = Listing(s3, bucket.name).find(sources, days[0], days[-1])
            self._check(found, sources)
            files, longest, damaged = self._copied(bucket, found)
        except (BotoCoreError, ClientError) as error:
            remedy = "It needs the rights of `retrace export --direct`: docs/cli.md has the policy."
            raise Problem(f"The raw objects cannot be read from S3: {error}", remedy) from error
        with closing(Loading(self.directory / "events.duckdb")) as loading:
            damaged += loading.load(files, longest, window)
            for file in files:
                file.unlink()
            gone = loading.keep_only(self._right_lines(loading.ambiguous()))
            self._tell(loading.lines, gone, damaged)
            return loading.finished()

    def _check(self, found: Found, sources: Iterable[str]) -> None:
        """Say how much is read before it is; raises Problem if that is not wanted, or does not fit."""
        if found.sources < len(set(sources)) or not found.sizes:
            for source in sources:
                require_known(self.client, source)
        much = f"{len(found.sizes):,} raw objects of {found.sources:,} sources, {size_text(found.size)}"
        if found.size > MUCH and not self.agreed(much):
            raise Problem(f"That is {much}.", "Choose a shorter window or a --source, or add --yes.", Exit.USAGE)
        if found.size * ROOM > shutil.disk_usage(self.directory).free:
            remedy = "Let TMPDIR name a directory on a larger disk, or choose a shorter window."
            raise Problem(f"{self.directory.parent} has no room for {much}.", remedy, Exit.USAGE)
        self.output.note(f"Reading {much}.")

    def _copied(self, bucket: RawBucket, found: Found) -> tuple[list[Path], int, int]:
        """The files of lines, the length of the longest, and how many are damaged and not in them."""
        download = Download(bucket, found, self.directory)
        size = longest = damaged = 0
        with Progress(self.output.notes) as progress:
            for copied in download.run():
                size += copied.size
                longest = max(longest, copied.longest)
                damaged += copied.damaged
                progress.show(f"{size_text(size)} of {size_text(found.size)}", size, found.size)
        return download.files, longest, damaged

    def _right_lines(self, ambiguous: Iterator[str]) -> Iterator[tuple[str, Place | None]]:
        """Of events with several lines, the one that the index has; none if the index does not have the event."""
        asked = list(islice(ambiguous, MOST_ASKED + 1))
        if len(asked) > MOST_ASKED:
            remedy = "Run `retrace check audit --repair`, which marks superseded lines, or choose a shorter window."
            raise Problem(f"More than {MOST_ASKED:,} events have several raw lines.", remedy)
        return in_order(lambda event_id: (event_id, self._place(event_id)), asked)

    def _place(self, event_id: str) -> Place | None:
        path = f"/events/{event_id}"
        found = self.client.expect("GET", path, expected=lambda answer: succeeded(answer) or _is_unknown(answer))
        return None if _is_unknown(found) else (found.json["s3_key"], found.json["s3_offset"])

    def _tell(self, events: int, gone: int, damaged: int) -> None:
        if damaged:
            self.output.note(f"{damaged:,} lines are damaged and left out. Run `retrace check verify`.", "red")
        if not events:
            self.output.note("No event is in this window. Run `retrace sources` to see what comes in, and when.")
        else:
            second = f" {gone:,} second lines are left out." if gone else ""
            self.output.note(f"{events:,} events in the table `events`.{second}")


def _is_unknown(answer: Answer) -> bool:
    return answer.status == HTTPStatus.NOT_FOUND
