"""`retrace export --direct` on the deployed stack, with the rights that docs/cli.md names and with less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.deployed import Deployed
from tests.e2e.samples import ROOT
from tests.e2e.shell import Json, Shell
from tests.e2e.test_cli_checking import user

EVENTS = [
    f'{{"source":"direct","event_type":"step","entity_id":"direct","event_time":"2025-11-28T10:00:{n:02d}Z","payload":1.{n}0}}'
    for n in range(30)
]
TO_THE_API: Json = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}


def documented_policy(deployed: Deployed) -> Json:
    """The policy of docs/cli.md for exports, and the right to call the API."""
    page = (ROOT / "docs/cli.md").read_text()
    text = page.split("## retrace export")[1].split("```json\n")[1].split("```")[0]
    policy: Json = json.loads(text.replace("RAW_BUCKET", deployed.stack.raw_bucket))
    policy["Statement"].append(TO_THE_API)
    return policy


@pytest.fixture
def ingested(deployed: Deployed) -> list[str]:
    """Events of one entity, half of them in requests of their own."""
    for body in (f"[{','.join(EVENTS[:20])}]", *EVENTS[20:]):
        answer = deployed.api.call("POST", "/ingest", body=body.encode(), headers={"Content-Type": "application/json"})
        assert answer.status in (200, 201)
    return EVENTS


def test_a_direct_export_needs_the_documented_rights_and_equals_what_was_sent(
    deployed: Deployed, ingested: list[str], tmp_path: Path
) -> None:
    shell = Shell(deployed, tmp_path, user(deployed, "exporter", documented_policy(deployed)))

    through_api = shell.begin("export", "direct").communicate(timeout=300)[0]
    direct = shell.begin("export", "direct", "--direct").communicate(timeout=300)[0]

    assert [line.partition(b',"event":')[2][:-1].decode() for line in direct.splitlines()] == ingested
    assert direct == through_api


def test_a_direct_export_without_rights_in_s3_names_the_policy(
    deployed: Deployed, ingested: list[str], tmp_path: Path
) -> None:
    policy = {"Version": "2012-10-17", "Statement": [TO_THE_API]}
    shell = Shell(deployed, tmp_path, user(deployed, "caller", policy))

    status, found, said = shell.run("export", "direct", "--direct")

    assert (status, found) == (4, [])
    assert "AccessDenied" in said
    assert "docs/cli.md" in said


def test_everything_of_a_week_is_exported_in_one_command_through_the_api_and_directly(
    deployed: Deployed, ingested: list[str], tmp_path: Path
) -> None:
    others = [
        event.replace('"direct","event_type":"step"', f'"direct/{n}","event_type":"{n}"')
        for n, event in enumerate(ingested)
    ]
    deployed.ingest([event.encode() for event in others])
    shell = Shell(deployed, tmp_path, user(deployed, "weekly", documented_policy(deployed)))
    week = ("export", "--since", "2025-11-24", "--until", "2025-12-01")

    through_api = shell.begin(*week).communicate(timeout=300)[0]
    assert shell.run(*week, "--direct", "--out", "week/")[0] == 0

    events = [line.partition(b',"event":')[2][:-1].decode() for line in through_api.splitlines()]
    files = list((tmp_path / "week").rglob("*.ndjson"))
    assert set(ingested) | set(others) <= set(events)
    assert len(events) == len(set(events))
    assert sorted(line for path in files for line in path.read_bytes().splitlines()) == sorted(through_api.splitlines())
