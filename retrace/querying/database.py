"""The database of a query: the table `events` in DuckDB, one row an event, in a file that is opened read-only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb

from chalicelib.core.timestamps import Window
from retrace.querying.download import SEPARATOR

Place = tuple[str, int]
"""The object of a line, and the byte that it begins at."""

COLUMNS = (
    "event_id",
    "source",
    "event_type",
    "entity_id",
    "event_time",
    "ingest_time",
    "ingest_lag_ms",
    "idempotency_key",
    "payload",
    "event",
    "content_sha256",
    "request_id",
    "sent_by",
    "s3_key",
    "s3_offset",
)
_HEAD = ("event_id", "ingest_time", "content_sha256", "entity_id", "event_type", "event_time", "request_id", "sent_by")
_LEAST_BUFFER = 1_000_000
_OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}

_SCHEMA = "CREATE SCHEMA stored"
# The event comes last in a line, and no member before it can contain its name unescaped.
_LOAD = r"""
CREATE TABLE stored.line AS
WITH line AS (
  SELECT s3_key, s3_offset, line, strpos(line, ',"event":') AS member
  FROM read_csv($files, columns = {'s3_key': 'VARCHAR', 's3_offset': 'BIGINT', 'line': 'VARCHAR'}, auto_detect = false,
    delim = $separator, quote = '', escape = '', header = false, max_line_size = $longest)
), part AS (
  SELECT s3_key, s3_offset, left(line, member - 1) || '}' AS head,
    substr(line, member + 9, length(line) - member - 9) AS event
  FROM line
), read AS (
  SELECT s3_key, s3_offset, event, CASE WHEN json_valid(head) AND json_valid(event)
    THEN json_extract_string(head, $members) END AS said
  FROM part
)
SELECT said[1] AS event_id, url_decode(split_part(s3_key, '/', 2)[8:]) AS source, said[5] AS event_type,
  said[4] AS entity_id, TRY_CAST(said[6] AS TIMESTAMP) AS event_time, TRY_CAST(said[2] AS TIMESTAMP) AS ingest_time,
  said[3] AS content_sha256, said[7] AS request_id, said[8] AS sent_by, s3_key, s3_offset,
  TRY_CAST(event AS JSON) AS event
FROM read WHERE said[6] IS NULL OR said[6] >= $start AND said[6] < $end
"""
_VIEW = """
CREATE VIEW events AS
SELECT event_id, source, event_type, entity_id, event_time, ingest_time,
  date_diff('millisecond', event_time, ingest_time) AS ingest_lag_ms,
  event->>(CASE WHEN json_exists(event, '$.specversion') THEN '$.id' ELSE '$.idempotency_key' END) AS idempotency_key,
  event->(CASE WHEN json_exists(event, '$.specversion') THEN '$.data' ELSE '$.payload' END) AS payload,
  event, content_sha256, request_id, sent_by, s3_key, s3_offset
FROM stored.line
"""


class Loading:
    """A database that is being made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = connected(path)
        self._database.execute("SET preserve_insertion_order = false")  # which would need more memory

    def load(self, files: Sequence[Path], longest: int, window: Window) -> int:
        """Take in the lines of a window; answers how many are damaged, and left out."""
        values = {
            "files": [str(file) for file in files],
            "separator": SEPARATOR.decode(),
            "longest": max(2 * longest, _LEAST_BUFFER),
            "members": [f"$.{name}" for name in _HEAD],
            "start": window.start,
            "end": window.end,
        }
        self._database.execute(_SCHEMA)
        self._database.execute(_LOAD, values)
        self._database.execute(_VIEW)
        return self._count(
            "DELETE FROM stored.line WHERE event_id IS NULL OR event_time IS NULL OR ingest_time IS NULL"
        )

    @property
    def lines(self) -> int:
        """How many lines there are."""
        return self._count("SELECT count(*) FROM stored.line")

    def ambiguous(self) -> Iterator[str]:
        """The events that have several lines."""
        query = "SELECT event_id FROM stored.line GROUP BY event_id HAVING count(*) > 1 ORDER BY event_id"
        found = self._database.cursor().execute(query)
        while rows := found.fetchmany(1_000):
            yield from (str(event_id) for (event_id,) in rows)

    def keep_only(self, right: Iterable[tuple[str, Place | None]]) -> int:
        """Keep one line of each of these events, the right one, or none; answers how many lines are gone."""
        rows = [(event_id, *(place or (None, None))) for event_id, place in right]
        if not rows:
            return 0
        self._database.execute("CREATE TABLE stored.kept (event_id VARCHAR, s3_key VARCHAR, s3_offset BIGINT)")
        self._database.executemany("INSERT INTO stored.kept VALUES (?, ?, ?)", rows)
        gone = self._count(
            "DELETE FROM stored.line USING stored.kept WHERE line.event_id = kept.event_id"
            " AND (line.s3_key, line.s3_offset) IS DISTINCT FROM (kept.s3_key, kept.s3_offset)"
        )
        self._database.execute("DROP TABLE stored.kept")
        return gone

    def finished(self) -> duckdb.DuckDBPyConnection:
        """The database, which takes no more changes."""
        self.close()
        return connected(self._path, read_only=True)

    def close(self) -> None:
        """Leave it as it is."""
        self._database.close()

    def _count(self, query: str) -> int:
        row = self._database.execute(query).fetchone()
        return int(row[0]) if row else 0


def connected(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A database that fetches nothing from anywhere, and keeps what does not fit into memory beside itself."""
    database = duckdb.connect(
        str(path), read_only=read_only, config={**_OFFLINE, "temp_directory": str(path.with_suffix(".tmp"))}
    )
    database.execute("SET TimeZone = 'UTC'")
    return database
