"""The wheel of the source distribution, in an environment of its own: it sends events to a stack and finds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release.__main__ import sdist, wheel_of
from tests.e2e.deployed import Deployed
from tests.installation import Installation, a_checkout, installed

DAY = "2026-11-21"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    directory = tmp_path_factory.mktemp("wheel")
    archive = sdist(a_checkout(directory / "sources"), directory)
    return installed(wheel_of(archive, directory), directory / "environment")


def test_an_installed_wheel_sends_events_and_finds_them(installation: Installation, deployed: Deployed) -> None:
    stack = deployed.stack
    target = {
        "RETRACE_URL": stack.api_url,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "AWS_REGION": stack.region,
    }
    event = {
        "source": "test/wheel",
        "event_type": "parcel.scanned",
        "entity_id": "wheel-1",
        "payload": {"weight": 1.10},
    }
    lines = [json.dumps({**event, "event_time": f"{DAY}T10:00:0{second}Z"}) for second in range(3)]
    (installation.directory / "events.ndjson").write_text("\n".join(lines), encoding="utf-8")

    sent = json.loads(installation.said("retrace", "ingest", "events.ndjson", "--json", **target))
    found = installation.said("retrace", "events", "wheel-1", "--day", DAY, "--json", **target)

    assert sent["accepted"] == 3
    times = [json.loads(line)["event_time"] for line in found.splitlines()]
    assert times == [f"{DAY}T10:00:0{second}.000000000Z" for second in range(3)]


def test_an_installed_wheel_lists_its_commands_and_no_module_is_called_chalicelib(installation: Installation) -> None:
    asked = "from importlib.util import find_spec; import retrace; print(find_spec('chalicelib'), retrace.__file__)"

    assert "ingest" in installation.said("retrace", "--help")
    nothing, place = installation.said("python", "-c", asked).split()
    assert nothing == "None"
    assert Path(place).is_relative_to(installation.directory)
