"""Exports what each event contributed to metrics, in the versions that the values of their days are folded from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from retrace.answer import Answer
from retrace.client import Client
from retrace.concurrency import begun
from retrace.exporting.files import opened
from retrace.exporting.selection import Query
from retrace.output import Json, Output
from retrace.progress import Progress

_PAGE = "1000"
_OF_VERSION = ("definition_sha256", "day", "replay_id", "entity_id")
_OF_EVENT = ("event_id", "event_time", "event_type", "content_sha256", "group", "value")
_SHOWN_EVERY = 100


class RowWriter(Protocol):
    """Writes rows in one format."""

    def write_row(self, row: Mapping[str, Any]) -> None:
        """Write a row, or keep it until there are enough for a block."""

    def close(self) -> None:
        """Write what is left."""


@dataclass
class ExportContributions:
    """One export: the contributions to metrics, and what its values lack."""

    client: Client
    output: Output
    names: Sequence[str]
    query: Query
    """The days, and the entity and the replay if they are named."""
    versions: int = 0
    written: int = 0
    missing: list[Json] = field(default_factory=list)
    partial: int = 0

    def into_file(
        self, out: str, writer_of: Callable[[BinaryIO], RowWriter], limit: int | None, *, replace: bool
    ) -> None:
        """Write a row for each event and metric that takes it: by metric, day, entity, and time."""
        rows = chain.from_iterable(map(self._of_metric, self.names))
        with opened(out, replace=replace) as file, Progress(self.output.notes) as progress:
            writer = writer_of(file)
            for row in islice(rows, limit):
                writer.write_row(row)
                self.written += 1
                if self.written % _SHOWN_EVERY == 0:
                    progress.show(f"{self.written:,} contributions")
            writer.close()

    def conclude(self) -> None:
        """Say what was written, and which days have no value or a partial one."""
        self.output.note(f"{self.written:,} contributions of {self.versions:,} versions.")
        for reason in dict.fromkeys(each["reason"] for each in self.missing):
            days = [each["day"] for each in self.missing if each["reason"] == reason]
            self.output.note(f"{', '.join(days)}: {reason}", "yellow")
        if self.partial:
            self.output.note(
                f"{self.partial:,} versions are partial. Run `retrace metrics values` to see why.", "yellow"
            )

    def _of_metric(self, name: str) -> Iterator[Json]:
        makers = (partial(self._of_version, name, version) for version in self._versions(name))
        return chain.from_iterable(begun(makers))

    def _versions(self, name: str) -> Iterator[Json]:
        """The versions that the values of a metric are of, each once: all groups of one come together."""
        path, last = f"/metrics/{quote(name, safe='')}/values", None
        for [page] in self.client.each_page(path, {**self.query, "limit": _PAGE}, read=Answer.whole):
            self.missing += page["missing"]
            for value in page["values"]:
                version = {"calendar": page["calendar"], **{member: value[member] for member in _OF_VERSION}}
                if version != last:
                    self.versions += 1
                    self.partial += not value["complete"]
                    yield version
                last = version

    def _of_version(self, name: str, version: Json) -> Iterator[Json]:
        of = {member: version[member] for member in ("entity_id", "day", "calendar", "replay_id")}
        for page in self.client.each_page("/aggregates/inputs", {**of, "metric": name, "limit": _PAGE}):
            for event in page:
                if event["value"] is not None or "skipped" in event:
                    said = {member: event[member] for member in _OF_EVENT}
                    yield {"metric": name, **version, **said, "skipped": event.get("skipped")}
