"""verify, audit and rebuild on the deployed stack: what was damaged is found, and lost tables are written again."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws import keys
from chalicelib.core.timestamps import Day, Instant
from chalicelib.events.raw_objects import Receipt, name_of, object_of
from embedded.connection import Stack
from embedded.disaster import Disaster
from embedded.stack import started
from infra.command import wait_until
from tests.e2e.deployed import Deployed, Row, batches
from tests.e2e.samples import ROOT, Sample
from tests.e2e.shell import Shell
from tests.unit.examples import event_in

Json = dict[str, Any]


@pytest.fixture(scope="module")
def sample(sample: Sample) -> Sample:
    """The first events only, as each command goes through all that there is."""
    return sample.first(600)


@pytest.fixture(scope="module")
def deployed(sample: Sample) -> Iterator[Deployed]:
    """A stack of its own, to be damaged: a sample of which some was sent again and some replayed, and a conflict."""
    with started() as stack:
        deployed = Deployed(stack)
        for batch in batches(sample.lines, 250):
            assert {result["status"] for result in deployed.ingest(batch)["results"]} == {"ACCEPTED"}
        deployed.ingest(sample.lines[:20])
        results = deployed.ingest([keyed(1), keyed(2)])["results"]
        assert [result["status"] for result in results] == ["ACCEPTED", "CONFLICT"]
        for entity in replayed_entities(sample):
            deployed.replayed(entity_id=entity, start_time="2000-01-01T00:00:00Z", end_time="2100-01-01T00:00:00Z")
        yield deployed


def replayed_entities(sample: Sample) -> list[str]:
    """Three that have many events, but for the one that has most."""
    return [entity for entity, _ in sample.entities.most_common()[1:4]]


def keyed(number: int) -> bytes:
    event = {"source": "keyed", "event_type": "step", "entity_id": "keyed", "event_time": "2025-11-28T10:00:00Z"}
    return json.dumps(event | {"payload": number, "idempotency_key": "one"}).encode()


@pytest.fixture
def reader(deployed: Deployed, tmp_path: Path) -> Shell:
    """The shell of the local user, who may look at everything and change nothing."""
    return Shell(deployed, tmp_path, (deployed.stack.access_key_id, deployed.stack.secret_access_key))


@pytest.fixture(scope="module")
def writing_key(deployed: Deployed) -> tuple[str, str]:
    """The key of a user with the policy that docs/cli.md gives for --repair and rebuild."""
    return user(deployed, "restorer", restoring_policy(deployed.stack))


@pytest.fixture
def writer(deployed: Deployed, writing_key: tuple[str, str], tmp_path: Path) -> Shell:
    """The shell of somebody who may repair."""
    return Shell(deployed, tmp_path, writing_key)


def user(deployed: Deployed, name: str, policy: Json) -> tuple[str, str]:
    iam = deployed.admin.iam
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def restoring_policy(stack: Stack) -> Json:
    """The policy of docs/cli.md, for the names of a stack."""
    text = (ROOT / "docs/cli.md").read_text()
    policy = text.split("### Rights to repair and rebuild")[1].split("```json\n")[1].split("```")[0]
    names = {"RAW_BUCKET": stack.raw_bucket, "EVENTS_TABLE": stack.events_table, "REPLAYS_TABLE": stack.replays_table}
    for said, name in names.items():
        policy = policy.replace(said, name)
    made: Json = json.loads(policy.replace("DEDUPE_TABLE", stack.dedupe_table))
    return made


@pytest.fixture
def row(deployed: Deployed, sample: Sample) -> Row:
    """The index row of an event that was replayed."""
    entity = replayed_entities(sample)[0]
    return random.Random(5).choice(rows_of(deployed, entity))


def rows_of(deployed: Deployed, entity: str) -> list[Row]:
    rows = deployed.rows(deployed.stack.events_table)
    return [row for row in rows if row["PK"]["S"].startswith("ENTITY#") and row["entity_id"]["S"] == entity]


def day_of(row: Row) -> tuple[str, str]:
    """Entity and day, as `verify` takes them."""
    return row["entity_id"]["S"], row["event_time"]["S"][:10]


def prefix_of(row: Row) -> str:
    return str(row["s3_key"]["S"].partition("ingest_date=")[0])


def test_nothing_differs_on_an_undamaged_stack(reader: Shell, deployed: Deployed, row: Row) -> None:
    replays = deployed.get("/replay")["items"]

    assert reader.finds("check", "verify", *day_of(row)) == []
    assert reader.finds("check", "verify", "--prefix", prefix_of(row)) == []
    assert reader.finds("check", "verify", "--replay", replays[0]["replay_id"]) == []
    assert reader.finds("check", "audit") == []


def test_one_changed_byte_of_a_raw_object_is_found(reader: Shell, deployed: Deployed, row: Row) -> None:
    place = {"Bucket": row["s3_bucket"]["S"], "Key": row["s3_key"]["S"]}
    before = deployed.admin.s3.get_object(**place)["Body"].read()
    at = before.index(b'"source":', int(row["s3_offset"]["N"])) + 12  # in its name
    deployed.admin.s3.put_object(**place, Body=before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    try:
        expected = [("line-changed", row["event_id"]["S"])]
        assert reader.finds("check", "verify", *day_of(row)) == expected
        assert reader.finds("check", "verify", "--prefix", prefix_of(row)) == expected
        assert reader.finds("check", "audit") == expected
        assert reader.finds("check", "audit", "--prefix", prefix_of(row)) == expected
    finally:
        deployed.admin.s3.put_object(**place, Body=before)


def test_one_edited_aggregate_is_found(reader: Shell, deployed: Deployed, row: Row) -> None:
    table = deployed.stack.aggregates_table
    entity, day = day_of(row)
    [version] = [
        each
        for each in deployed.rows(table)
        if each["PK"]["S"] == row["PK"]["S"] and each["SK"]["S"].startswith(f"P1D#UTC#{day}#VER#")
    ]
    edited = version | {"event_count": {"N": "7000000"}}
    deployed.admin.dynamodb.put_item(TableName=table, Item=edited)
    try:
        for asked in ((entity, day), ("--replay", version["replay_id"]["S"]), ("--prefix", prefix_of(row))):
            code, [found], _ = reader.run("check", "verify", *asked)
            assert code == 1
            assert (found["difference"], found["fields"]) == ("version-differs", ["event_count"])
            assert (found["entity_id"], found["day"], found["replay_id"]) == (entity, day, version["replay_id"]["S"])
        assert reader.finds("check", "audit") == []
    finally:
        deployed.admin.dynamodb.put_item(TableName=table, Item=version)


def test_one_removed_index_row_is_found_and_repaired(
    reader: Shell, writer: Shell, deployed: Deployed, row: Row
) -> None:
    before = deployed.rows(deployed.stack.events_table)
    key = {name: row[name] for name in ("PK", "SK")}
    deployed.admin.dynamodb.delete_item(TableName=deployed.stack.events_table, Key=key)
    expected = [("index-missing", row["event_id"]["S"])]

    assert reader.finds("check", "verify", *day_of(row)) == expected
    assert reader.finds("check", "verify", "--prefix", prefix_of(row)) == expected
    assert reader.finds("check", "audit") == expected
    refused, _, said = reader.run("check", "audit", "--repair")
    code, [repaired], _ = writer.run("check", "audit", "--repair")

    assert refused == 4
    assert "docs/cli.md" in said
    assert (code, repaired["difference"], repaired["repair"]) == (0, "index-missing", "done")
    assert by_key(deployed.rows(deployed.stack.events_table)) == by_key(before)
    assert reader.finds("check", "audit") == []


def test_a_removed_identity_is_repaired_and_rows_without_raw_are_only_reported(
    writer: Shell, deployed: Deployed, row: Row
) -> None:
    stack, event_id = deployed.stack, row["event_id"]["S"]
    deployed.admin.dynamodb.delete_item(TableName=stack.dedupe_table, Key={"event_id": row["event_id"]})
    alone = {"event_id": {"S": "ab" * 32}, "s3_key": {"S": "raw/gone"}}
    dangling = row | {"event_id": {"S": "cd" * 32}, "SK": {"S": f"TS#{row['event_time']['S']}#EID#{'cd' * 32}"}}
    deployed.admin.dynamodb.put_item(TableName=stack.dedupe_table, Item=alone)
    deployed.admin.dynamodb.put_item(TableName=stack.events_table, Item=dangling)

    code, found, _ = writer.run("check", "audit", "--repair")

    assert code == 1
    assert sorted((each["difference"], each["event_id"], each["repair"]) for each in found) == [
        ("identity-alone", "ab" * 32, "no"),
        ("identity-missing", event_id, "done"),
        ("index-without-raw", "cd" * 32, "no"),
    ]
    assert deployed.get(f"/events/{event_id}")["s3_key"] == row["s3_key"]["S"]
    deployed.admin.dynamodb.delete_item(TableName=stack.dedupe_table, Key={"event_id": alone["event_id"]})
    deployed.admin.dynamodb.delete_item(
        TableName=stack.events_table, Key={name: dangling[name] for name in ("PK", "SK")}
    )


def test_a_superseded_line_is_marked_by_a_principal_that_may_and_found_no_more(
    reader: Shell, writer: Shell, deployed: Deployed
) -> None:
    [first] = rows_of(deployed, "keyed")
    other = event_in(keyed(2).decode())
    day, long_ago = Day("2025-11-28"), Instant("2025-11-28T11:00:00.000000000Z")
    key = keys.raw_object(other.source, day, day, name_of([other]))
    body = object_of([other], Receipt(long_ago, "request", "local"))
    deployed.admin.s3.put_object(Bucket=deployed.stack.raw_bucket, Key=key, Body=body)
    expected = [("line-superseded", first["event_id"]["S"])]

    assert reader.finds("check", "audit") == expected
    refused, _, said = reader.run("check", "audit", "--repair")
    code, [marked], _ = writer.run("check", "audit", "--repair")

    assert (refused, "docs/cli.md" in said) == (4, True)
    assert (code, marked["s3_key"], marked["repair"]) == (0, key, "done")
    assert marked["chosen"]["s3_key"] == first["s3_key"]["S"]
    assert reader.finds("check", "audit") == []


def test_a_rebuild_that_is_killed_half_way_goes_on_and_every_row_is_as_before(
    writer: Shell, deployed: Deployed
) -> None:
    # That every route then answers as before is what the drill shows.
    rows = deployed.events_and_identities()
    Disaster(deployed.stack).lose_tables()
    assert deployed.events_and_identities() == {}

    kill_half_way(writer)
    code, [summary], said = writer.run("check", "rebuild")

    assert code == 0, said
    # The line that an audit has marked is older than the one that was accepted.
    assert (summary["conflicting"], summary["undecided"]) == (1, 0)
    assert without_requests(deployed.events_and_identities()) == without_requests(rows)
    assert not list(writer.directory.glob("*.checkpoint"))
    assert writer.run("check", "rebuild")[1][0]["written"] == 0


def test_a_table_that_is_not_there_is_told(writer: Shell) -> None:
    code, found, said = writer.run("check", "rebuild", "--events-table", "none-of-that-name")

    assert (code, found) == (4, [])
    assert "docs/cli.md" in said


def kill_half_way(writer: Shell) -> None:
    """Begin a rebuild, and kill it once a part is done."""
    process = writer.begin("check", "rebuild")
    checkpoint = writer.directory / "retrace-rebuild.checkpoint"

    def a_part_is_done() -> bool:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{checkpoint}?mode=ro", uri=True)) as database:
            return bool(database.execute("SELECT COUNT(*) FROM object WHERE done = 1").fetchone()[0])
        return False

    assert wait_until(lambda: a_part_is_done() or process.poll() is not None, 120)
    process.kill()
    process.communicate()


def by_key(rows: list[Row]) -> dict[str, Row]:
    return {row["PK"]["S"] + row["SK"]["S"]: row for row in rows}


def without_requests(rows: dict[str, Row]) -> dict[str, Row]:
    """Rows without the request that wrote them, which no raw line tells."""
    return {key: {name: said for name, said in row.items() if name != "written_by"} for key, row in rows.items()}
