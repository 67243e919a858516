"""The raw objects as a table: what SQL counts is what the index has, and the catalogue describes where things lie."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest

from embedded.bundle import packaged
from infra.command import silent
from tests.e2e.deployed import Deployed, batches
from tests.e2e.samples import ROOT, Sample

SOURCES = ("sql/plain", "sql/ü %#=&?")
_EVENTS = 500
_QUERY = re.compile(r"^```sql\n-- DuckDB\n(.*?)```", re.MULTILINE | re.DOTALL)

Group = tuple[str, str, str]


@pytest.fixture(scope="module")
def sent(deployed: Deployed, sample: Sample) -> dict[str, dict[str, Any]]:
    """What was taken in of each source, by event id: its result and its index row; some of it was sent twice."""
    results = []
    for source in SOURCES:
        lines = sample.first(_EVENTS).from_source(source).lines
        for batch in (*batches(lines, 100), lines[:50]):
            results += deployed.ingest(batch)["results"]
    rows = {row["event_id"]["S"]: row for row in deployed.rows(deployed.stack.events_table) if "s3_key" in row}
    return {result["event_id"]: {**result, "row": rows[result["event_id"]]} for result in results}


@pytest.fixture(scope="module")
def copied(deployed: Deployed, sent: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw objects as files, as `aws s3 sync` copies them."""
    directory = tmp_path_factory.mktemp("bucket")
    for key in {each["s3_key"] for each in sent.values()}:
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(deployed.admin.s3.get_object(Bucket=deployed.stack.raw_bucket, Key=key)["Body"].read())
    return directory


def query_of_the_page(name: str) -> str:
    """The query that docs/sql.md gives for DuckDB below a heading."""
    text = (ROOT / "docs/sql.md").read_text()
    found = _QUERY.search(text.split(f"## {name}\n")[1].split("\n## ")[0])
    assert found is not None
    return found[1]


def test_counts_by_source_type_and_day_are_those_of_the_index(
    copied: Path, sent: dict[str, dict[str, Any]], sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied)
    index: Counter[Group] = Counter()
    for each in sent.values():
        row = each["row"]
        index[row["source"]["S"], row["event_type"]["S"], row["event_time"]["S"][:10]] += 1

    with duckdb.connect() as database:
        counted = database.execute(query_of_the_page("Counts")).fetchall()

    assert {(source, event_type, str(day)): count for source, event_type, day, count in counted} == index
    assert sum(index.values()) == len(SOURCES) * len(sample.first(_EVENTS).lines)


def test_a_row_is_the_line_to_the_byte(
    copied: Path, sent: dict[str, dict[str, Any]], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied)
    with duckdb.connect() as database:
        database.execute(query_of_the_page("Reading"))
        lines = {line for (line,) in database.execute("SELECT line FROM raw_events").fetchall()}

    assert len(lines) == len(sent)
    for event_id in sorted(sent)[:20]:
        assert deployed.raw_line(sent[event_id]["row"]).decode() in lines


def test_every_object_lies_where_the_catalogue_projects_its_partition(
    sent: dict[str, dict[str, Any]], deployed: Deployed
) -> None:
    table = json.loads((packaged(silent) / "sam.json").read_text())["Resources"]["RawEvents"]["Properties"][
        "TableInput"
    ]
    template = table["Parameters"]["storage.location.template"]["Fn::Sub"]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["source", "event_date", "ingest_date"]

    for each in sent.values():
        row = each["row"]
        location = template.replace("${RawBucket}", deployed.stack.raw_bucket)
        for name, value in (
            ("source", quote(row["source"]["S"], safe="")),
            ("event_date", row["event_time"]["S"][:10]),
            ("ingest_date", row["ingest_time"]["S"][:10]),
        ):
            location = location.replace(f"${{!{name}}}", value)
        assert f"s3://{each['s3_bucket']}/{each['s3_key']}".startswith(location)
