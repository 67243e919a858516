"""`retrace sql` on the deployed stack counts what the index has, and the catalogue describes where raw objects lie."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from embedded import connection
from embedded.bundle import packaged
from infra.command import silent
from tests.e2e.deployed import Deployed, batches
from tests.e2e.samples import ROOT, Sample
from tests.e2e.shell import Json, Shell
from tests.e2e.test_cli_checking import user
from tests.e2e.test_cli_export import TO_THE_API, documented_policy
from tests.e2e.test_cli_replay import Session

SOURCES = ("sql/plain", "sql/ü %#=&?")
_EVENTS = 500
METRIC_DAY = "2025-12-01"
"""A day without events of other tests."""
_PAGE = (ROOT / "docs/sql.md").read_text()
QUERIES = re.findall(r"^```sql\n((?!-- Athena).*?)```", _PAGE, re.MULTILINE | re.DOTALL)


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
def analyst(deployed: Deployed) -> tuple[str, str]:
    """The key of somebody with the rights that docs/cli.md names for exports."""
    return user(deployed, "analyst", documented_policy(deployed))


@pytest.fixture
def shell(deployed: Deployed, analyst: tuple[str, str], tmp_path: Path) -> Shell:
    """Their command line."""
    return Shell(deployed, tmp_path, analyst)


def asked(shell: Shell, sent: dict[str, dict[str, Any]], query: str) -> list[Json]:
    """What a query answers about all days of the sources."""
    days = sorted({each["row"]["event_time"]["S"][:10] for each in sent.values()})
    since = ("--since", days[0], "--until", f"{days[-1]}T23:59:59.999999999Z")
    of_sources = [option for source in SOURCES for option in ("--source", source)]
    status, found, said = shell.run("sql", query, *since, *of_sources, "--json")
    assert status == 0, said
    return found


def test_counts_by_source_type_and_day_are_those_of_the_index(
    shell: Shell, sent: dict[str, dict[str, Any]], sample: Sample
) -> None:
    index: Counter[tuple[str, str, str]] = Counter()
    for each in sent.values():
        row = each["row"]
        index[row["source"]["S"], row["event_type"]["S"], row["event_time"]["S"][:10]] += 1

    counted = asked(shell, sent, QUERIES[0])

    assert {(row["source"], row["event_type"], row["day"]): row["events"] for row in counted} == index
    assert sum(index.values()) == len(SOURCES) * len(sample.first(_EVENTS).lines)


def test_a_row_is_the_event_of_the_index_and_its_text_is_as_it_was_sent(
    shell: Shell, sent: dict[str, dict[str, Any]], deployed: Deployed
) -> None:
    found = {
        row["event_id"]: row
        for row in asked(shell, sent, "SELECT * EXCLUDE (event), event::VARCHAR AS event FROM events")
    }

    assert found.keys() == sent.keys()
    for event_id, each in sent.items():
        row = each["row"]
        for name in ("source", "event_type", "entity_id", "content_sha256", "request_id", "sent_by", "s3_key"):
            assert found[event_id][name] == row[name]["S"]
        assert found[event_id]["s3_offset"] == int(row["s3_offset"]["N"])
    for event_id in sorted(sent)[:20]:
        line = deployed.raw_line(sent[event_id]["row"])
        assert line.endswith(b',"event":' + found[event_id]["event"].encode() + b"}")


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_of_the_page_answers_about_the_day_of_the_demo(shell: Shell, deployed: Deployed, query: str) -> None:
    lines = (ROOT / "examples/shop-day/day.ndjson").read_bytes().splitlines()
    deployed.ingest([line for line in lines if line.strip()])
    late = (ROOT / "examples/shop-day/late-batch.ndjson").read_bytes().splitlines()
    deployed.ingest([line for line in late if line.strip()])

    status, found, said = shell.run("sql", "--day", "2025-11-28", "--json", query)

    assert status == 0, said
    assert found


AMOUNTS = ("1.10", "-0", "1E+3", "-0.0001", str(2**103), "9007199254740993", "123456789.0125")


@pytest.fixture(scope="module")
def revenue(deployed: Deployed) -> dict[str, Fraction]:
    """What the API says of the metric of the page on a day, by currency."""
    [definition, _] = yaml.safe_load((ROOT / "examples/metrics.yaml").read_text())["metrics"]
    name, body = definition.pop("name"), json.dumps(definition).encode()
    headers = {"Content-Type": "application/json"}
    assert deployed.api.call("PUT", f"/metrics/{name}", body=body, headers=headers).status == 200
    event = {
        "source": "payments/northpay",
        "event_type": "payment.captured",
        "entity_id": "order-sql",
        "event_time": f"{METRIC_DAY}T10:00:00Z",
    }
    lines = [
        json.dumps({**event, "payload": {"amount": "AMOUNT", "currency": ("EUR", "USD")[number % 2]}})
        .replace('"AMOUNT"', amount)
        .encode()
        for number, amount in enumerate(AMOUNTS)
    ]
    deployed.ingest(lines)
    deployed.replayed(source=event["source"], event_type=event["event_type"], day=METRIC_DAY)
    values = deployed.get(f"/metrics/{name}/values", start_day=METRIC_DAY, end_day=METRIC_DAY)["values"]
    told = {each["group"]["/currency"]: Fraction(each["value"]) for each in values if each["group"]}
    assert told == {"EUR": sum(map(Fraction, AMOUNTS[::2])), "USD": sum(map(Fraction, AMOUNTS[1::2]))}
    return told


def test_the_metric_of_the_page_is_what_the_api_says_to_the_last_digit(
    shell: Shell, revenue: dict[str, Fraction]
) -> None:
    [query] = [each for each in QUERIES if "revenue" in each]

    as_text = query.replace("AS revenue", "::VARCHAR AS revenue")  # no float in between
    status, found, said = shell.run("sql", "--day", METRIC_DAY, "--json", as_text)

    assert status == 0, said
    assert {row["currency"]: Fraction(row["revenue"]) for row in found} == revenue


def test_the_contributions_of_the_page_add_up_to_the_metric(
    shell: Shell, tmp_path: Path, revenue: dict[str, Fraction]
) -> None:
    [block] = re.findall(r"^```sh\n(retrace export.*?)```", _PAGE, re.MULTILINE | re.DOTALL)
    here = block.replace("2025-11-28", METRIC_DAY).replace("revenue.parquet", str(tmp_path / "revenue.parquet"))
    as_text = here.replace("AS contributed", "::VARCHAR AS contributed")  # no float in between
    _, export, query = (shlex.split(each) for each in re.split(r"^retrace ", as_text, flags=re.MULTILINE))

    status, _, said = shell.run(*export)
    assert (status, "7 contributions of 1 versions" in said) == (0, True), said
    status, found, said = shell.run(*query, "--json")

    assert status == 0, said
    assert {row["currency"]: Fraction(row["contributed"]) for row in found} == revenue


def test_a_prompt_answers_statements_of_several_lines_until_it_is_left(
    deployed: Deployed, sent: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / ".retrace").mkdir()
    connection.save(tmp_path / ".retrace/local.json", deployed.stack)
    day = next(iter(sent.values()))["row"]["event_time"]["S"][:10]

    session = Session(deployed, tmp_path, "sql", "--day", day)
    session.shows("retrace> ")
    session.types("SELECT 'x' || count(*) AS n\nFROM events WHERE false;\n")
    session.shows("x0")
    session.types("SELECT nothing;\n")
    session.shows("nothing")
    session.types("DELETE FROM stored.line;\n")
    session.shows("read-only")
    session.types(".quit\n")

    assert session.ends()[0] == 0


def test_without_rights_in_s3_the_policy_is_named(deployed: Deployed, tmp_path: Path) -> None:
    policy = {"Version": "2012-10-17", "Statement": [TO_THE_API]}
    shell = Shell(deployed, tmp_path, user(deployed, "no-analyst", policy))

    status, found, said = shell.run("sql", "--day", "2025-11-28", "SELECT 1")

    assert (status, found) == (4, [])
    assert "AccessDenied" in said
    assert "docs/cli.md" in said


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
