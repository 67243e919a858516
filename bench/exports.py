"""Measure how fast events leave Retrace, beside a request for each and beside DuckDB on downloaded objects.

python -m bench.exports [--write]

All ways write the same events of a day into a Parquet file, and take turns on one embedded AWS.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from bench.markdown import PERFORMANCE, publish, table
from bench.orders import DAY, SOURCE, bodies
from bench.rounds import Rates, alternating, load_of, require_equal
from embedded.admin import Admin, Administrator
from embedded.client import Api
from embedded.connection import Stack
from embedded.layout import Layout
from embedded.stack import started
from retrace.client import Client
from retrace.exporting.events import Fetched, fault_of, from_s3, through_api
from retrace.exporting.parquet import ParquetWriter
from retrace.target import Target

EVENTS, A_BATCH = 10_000, 1_000
ONE_BY_ONE = 500
"""As many events are enough to see how slow a request for each is."""
AT_ONCE = 8
EVENT_TYPE = "order.exported"
QUERY = {"source": SOURCE, "event_type": EVENT_TYPE, "day": DAY, "limit": "1000"}

NAMES = ("a request for each", "`export`", "`export --direct`", "boto3 and DuckDB")


def take_in(stack: Stack) -> None:
    """Send the events of the day."""
    api = Api(stack)
    for body in bodies(EVENT_TYPE, 0, A_BATCH, EVENTS // A_BATCH):
        api.call("POST", "/ingest", body=body, headers={"Content-Type": "application/json"})


def one_by_one(client: Client) -> Iterator[Fetched]:
    """A request for each text, as exports were before lists had them."""

    def fetched(item: dict[str, Any]) -> Fetched:
        text = client.call("GET", f"/events/{item['event_id']}/raw").body
        return Fetched(item, text, fault_of(item, text))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(fetched, client.pages("/events", QUERY, ONE_BY_ONE))


def written(events: Callable[[], Iterator[Fetched]], expected: int) -> None:
    """Write events into a Parquet file."""
    with tempfile.TemporaryFile() as file:
        writer, count = ParquetWriter(file), 0
        for event in events():
            writer.write(event)
            count += event.fault is None
        writer.close()
    require_equal({"exported": count, "sent": expected}, "export")


def downloaded(admin: Admin, bucket: str) -> None:
    """Copy the day's raw objects as `aws s3 sync` would, and have DuckDB write them; no hash is checked."""
    pages = admin.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="raw/")
    keys = [found["Key"] for page in pages for found in page["Contents"]]
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(AT_ONCE) as threads:
        copies = [f"{directory}/{number}.ndjson" for number, _ in enumerate(keys)]
        list(threads.map(partial(admin.s3.download_file, bucket), keys, copies))
        with duckdb.connect() as database:
            columns = {"line": "VARCHAR"}
            lines = database.read_csv(f"{directory}/*.ndjson", columns=columns, sep="\x01", header=False, quotechar="")
            lines.write_parquet(f"{directory}/day.parquet")
            count = len(database.read_parquet(f"{directory}/day.parquet"))
    require_equal({"exported": count, "sent": EVENTS}, "DuckDB")


def measure(stack: Stack, admin: Admin) -> Rates:
    """Events a second of each way."""
    key = (stack.access_key_id, stack.secret_access_key)
    client = Client(Target(stack.api_url, "bench", stack.region, access_key=key, endpoint_url=stack.aws_endpoint_url))
    s3 = client.target.client("s3")
    ways: list[tuple[int, Callable[[], None]]] = [
        (ONE_BY_ONE, partial(written, partial(one_by_one, client), ONE_BY_ONE)),
        (EVENTS, partial(written, partial(through_api, client, QUERY, None), EVENTS)),
        (EVENTS, partial(written, partial(from_s3, client, s3, QUERY, None), EVENTS)),
        (EVENTS, partial(downloaded, admin, stack.raw_bucket)),
    ]
    measures = {name: lambda _, way=way: load_of(*way) for name, way in zip(NAMES, ways, strict=True)}
    return alternating(f"{EVENTS:,} events exported", measures)


def rows(rates: Rates) -> str:
    """The table: events a second, and how many times that of a request for each."""
    found = ((name, rates.median(name), rates.ratio(name, NAMES[0])) for name in NAMES)
    return table(("way", "events a second", "times a request for each"), found)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as kept, started(Path(kept)) as embedded:
        take_in(embedded)
        found = measure(embedded, Admin(embedded.aws_endpoint_url, Administrator.of(Layout(Path(kept)))))
    publish(PERFORMANCE, "bench.exports", {"exports": rows(found)})
