"""Reads the events that definitions are tried over, from files or by a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retrace.client import Client
from retrace.defining.trial import Trials
from retrace.exporting.events import through_api
from retrace.exporting.selection import of_entity, of_sources
from retrace.ingesting.files import look_at, records
from retrace.ingesting.foreign_formats import Mapped
from retrace.known_names import require_known, require_known_entity
from retrace.output import Output

_FAULTS_SHOWN = 5


def of_files(names: Sequence[str], trials: Trials, output: Output) -> None:
    """Add the events of files, as `retrace ingest` reads them. What it would refuse is noted and left out."""
    refused = 0
    for file in [look_at(name) for name in names]:
        with file.opened() as content:
            for record in records(file.name, content, None, Mapped()):
                fault = record.fault or trials.add(record.text)
                if fault is not None:
                    refused += 1
                    if refused <= _FAULTS_SHOWN:
                        output.note(f"{file.name}:{record.line} is left out: {fault.field} {fault.message}".strip())
    if refused > _FAULTS_SHOWN:
        output.note(f"{refused} events were left out, as ingest would refuse them.")


def of_query(
    client: Client,
    entity: str | None,
    source: str | None,
    types: Sequence[str],
    when: Mapping[str, str | None],
    trials: Trials,
    output: Output,
) -> None:
    """Add the stored events of an entity or a source. What cannot be read or fails its hash is noted and left out.

    Raises Problem if there are none, and the entity, the source or a type is unknown.
    """
    found = False
    parts = of_sources(client, source, types, when) if entity is None else of_entity(entity, source, types, when)
    for query in (query for part in parts for query in part.queries):
        for fetched in through_api(client, {**query, "limit": "1000"}, None):
            found = True
            fault = fetched.fault or (trials.add(fetched.text) if fetched.text is not None else "has no text")
            if fault is not None:
                output.note(f"{fetched.metadata['event_id']} is left out: {fault}")
    if not found:
        require_known(client, source, *types)
        require_known_entity(client, entity)
