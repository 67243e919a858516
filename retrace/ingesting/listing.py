"""Lists what Retrace knows of the events of files, as a dry run answers: missing, known, refused or different."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chalicelib.events.event import Form
from chalicelib.quarantine.contents import differences
from retrace.answer import succeeded
from retrace.client import Client
from retrace.databases import disk_errors_as_problems, temporary_database
from retrace.ingesting.listed import COLUMNS, FILE, NAMES, UNUSUAL, Found, line_of
from retrace.ingesting.refused_events import RefusedEvents, said_by
from retrace.ingesting.report import IngestProgress
from retrace.ingesting.sending import Answered, BatchResult
from retrace.output import Output

Json = dict[str, Any]

COMPARED = 100
"""Conflicts that are compared with the first event, each by a request."""

_DIFFERENCES = 20
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class _First:
    """The line of the files that was the first of an identity, and is missing."""

    content_sha256: str
    file: str
    line: int


class Listing:
    """The table or the lines, written batch by batch in the order of the files, and the counts."""

    def __init__(
        self,
        client: Client,
        refused: RefusedEvents,
        output: Output,
        files: Sequence[str],
        only: Sequence[Found],
        progress: IngestProgress,
    ) -> None:
        self._client = client
        self._refused = refused
        self._output = output
        self._files = files
        self._shown = frozenset(only or UNUSUAL)
        self._progress = progress
        self._compared = 0
        self._heading = True
        self._missing = temporary_database()
        columns = "digest BLOB PRIMARY KEY, content TEXT, file TEXT, line INTEGER"
        self._missing.execute(f"CREATE TABLE missing ({columns}) WITHOUT ROWID")
        self.counts: Counter[Found] = Counter()
        progress.counts = self._counted

    def _counted(self) -> str:
        """The counts of what is listed so far, which may be less than what is answered."""
        return (
            ", ".join(f"{self.counts[found]:,} {NAMES[found]}" for found in Found if self.counts[found])
            or "none listed yet"
        )

    def add(self, file: str, result: BatchResult) -> None:
        """List the events of a batch."""
        with disk_errors_as_problems("Temporary files", "Make room for them, or let TMPDIR name another directory."):
            rows = list(self._rows(file, result))
        if not rows:
            return
        self._progress.pause()
        if self._output.as_json:
            for row, text in rows:
                self._output.json_text(line_of(row, text))
        else:
            columns = COLUMNS if len(self._files) == 1 else (FILE, *COLUMNS)
            self._output.rows((row for row, _ in rows), columns, "", heading=self._heading)
            self._heading = False
        self._progress.go_on()

    def _rows(self, file: str, result: BatchResult) -> Iterator[tuple[Json, bytes]]:
        for event in result.events:
            first = self._listed_as_missing(event)
            arrived = _arrived(event, first)
            if arrived is not None and arrived not in self._shown:
                self.counts[arrived] += 1
                continue
            said = said_by(event.record.text, Form.CLOUDEVENT if event.record.cloudevent else Form.NATIVE)
            found, told = (arrived, _receipt(event, arrived)) if arrived else self._unusual(event, first, said)
            if found is Found.MISSING:
                self._remember(file, event)
            self.counts[found] += 1
            if found in self._shown:
                place = {"event_id": event.result.get("event_id"), "arrived": found, "file": file}
                yield place | {"line": event.record.line, **said, **told}, event.record.text

    def _unusual(self, event: Answered, first: _First | None, said: dict[str, str | None]) -> tuple[Found, Json]:
        """What any other event is, and what there is to say of it."""
        text, answer = event.record.text, event.result
        if first is not None:
            return Found.CONFLICT, {"first_file": first.file, "first_line": first.line}
        rejected_id = self._refused.rejected_id(text, said["source"], said["idempotency_key"])
        kept = {"rejected_id": rejected_id} if rejected_id else {}
        errors = {"errors": answer["errors"]} if answer.get("errors") else {}
        if answer["status"] == "CONFLICT":
            return Found.CONFLICT, kept | errors | self._differences(answer["event_id"], text)
        if rejected_id is not None:
            return Found.QUARANTINE, kept | errors
        if answer["status"] != "ACCEPTED":
            return Found.INVALID, errors
        return Found.MISSING, {}

    def _remember(self, file: str, event: Answered) -> None:
        missing = (_digest(event.result["event_id"]), event.result["content_sha256"], file, event.record.line)
        self._missing.execute("INSERT INTO missing VALUES (?, ?, ?, ?)", missing)

    def _listed_as_missing(self, event: Answered) -> _First | None:
        """The earlier line of the files that has this event's identity and is missing."""
        event_id = event.result.get("event_id")
        if event_id is None:
            return None
        query = "SELECT content, file, line FROM missing WHERE digest = ?"
        found = self._missing.execute(query, (_digest(event_id),)).fetchone()
        return None if found is None else _First(*found)

    def _differences(self, event_id: str, text: bytes) -> Json:
        """How the first conflicts differ from the events that were accepted."""
        if self._compared == COMPARED:
            return {}
        self._compared += 1
        first = self._client.call("GET", f"/events/{event_id}/raw")
        if not succeeded(first):
            return {}
        found = islice(differences(first.body.decode(), text.decode("utf-8-sig")), _DIFFERENCES)
        return {"differences": [{"path": one.path, "first": one.first, "file": one.refused} for one in found]}

    how_on = "Run it again from the beginning: a dry run writes nothing."

    def show(self, output: Output, _progress: IngestProgress, *, finished: bool) -> None:
        """How many events there are of each kind, and what to do about them; with JSON beside the lines."""
        again = "FILES" if "-" in self._files else shlex.join(self._files)
        commands = {
            Found.MISSING: f": retrace ingest {again}",
            Found.QUARANTINE: ": retrace rejected list --unresolved",
            Found.CONFLICT: ": retrace event SOURCE KEY shows the one that was accepted",
        }
        facts = [("events", f"{self.counts.total():,}{'' if finished else ', and there are more'}")]
        for found in Found:
            count = self.counts[found]
            facts.append((NAMES[found], f"{count:,}{commands.get(found, '') if count else ''}"))
        if output.as_json:
            output.note("\n".join(f"{name}  {value}" for name, value in facts))
        output.facts(facts)
        if self._refused.in_part:
            output.note("Quarantine was searched only in part: choose a shorter time with --refused-since.")

    @property
    def is_complete(self) -> bool:
        """Whether each event is known."""
        return not any(self.counts[found] for found in UNUSUAL)


def _arrived(event: Answered, first: _First | None) -> Found | None:
    """Whether an event is known, or missing and listed as such already."""
    if first is not None:
        return Found.REPEATED if event.result.get("content_sha256") == first.content_sha256 else None
    return Found.KNOWN if event.result["status"] == "DUPLICATE" else None


def _digest(event_id: str) -> bytes:
    return bytes.fromhex(event_id)[:_DIGEST_BYTES]


def _receipt(event: Answered, found: Found) -> Json:
    """When an event was received, if it was."""
    return {"ingest_time": event.result["ingest_time"]} if found is Found.KNOWN else {}
