"""NDJSON: one event a line, sent as it stands there."""

from __future__ import annotations

from chalicelib.ingest.request import MAX_BYTES
from retrace.ingesting.record import Record, Records, Stream, too_large, whole_line

_BLANK = b" \t\r\n"


def line_records(stream: Stream) -> Records:
    """Every line that is not blank."""
    number = 0
    while line := whole_line(stream, MAX_BYTES + 2):
        number += 1
        if len(line) > MAX_BYTES and not line.endswith(b"\n"):
            _skip_line(stream)
            yield too_large(number)
        elif line.strip(_BLANK):
            yield Record(number, line.rstrip(b"\r\n"))


def _skip_line(stream: Stream) -> None:
    while (more := stream.readline(MAX_BYTES)) and not more.endswith(b"\n"):
        pass
