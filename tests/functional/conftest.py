"""The whole application in one process: Chalice's test client in front, an emulator behind, resources as in infra/."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from chalice.test import Client

from chalicelib.runtime import event_wiring, replay_wiring, system, telemetry
from tests.conftest import SETTINGS
from tests.functional import clients, emulators
from tests.functional.application import Application, SetSetting
from tests.functional.emulators import Emulator
from tests.functional.storage import Storage
from tests.functional.wire import Wire

ROOT = Path(__file__).parents[2]

_TABLES = {
    "EventsTable": "EVENTS_TABLE",
    "DedupeTable": "DEDUPE_TABLE",
    "ReplaysTable": "REPLAYS_TABLE",
    "AggregatesTable": "AGGREGATES_TABLE",
}

_QUEUES = (
    "REPLAY_QUEUE_URL",
    "REPLAY_JOBS_QUEUE_URL",
    "REPLAY_JOBS_DEAD_LETTER_QUEUE_URL",
    "REPLAY_FAILURES_QUEUE_URL",
    "DEAD_LETTER_QUEUE_URL",
)


class _Template(yaml.SafeLoader):
    """Reads a CloudFormation template for its plain properties; intrinsic functions are left out."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: None)


@pytest.fixture(scope="session")
def resources() -> dict[str, Any]:
    """The resources of infra/resources.yaml."""
    template = yaml.load((ROOT / "infra/resources.yaml").read_text(), Loader=_Template)  # noqa: S506  # a SafeLoader
    resources: dict[str, Any] = template["Resources"]
    return resources


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the application nor the SDK waits before a retry."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each test that needs an AWS run on one after the other."""
    if "emulator" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".")[2]
        marks = [pytest.mark.storage] if emulators.judges_storage(module) else []
        chosen = [pytest.param(name, marks=marks) for name in emulators.chosen_for(module)]
        metafunc.parametrize("emulator", chosen, indirect=True, scope="package")


@pytest.fixture(scope="package")
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """What stands for AWS."""
    with emulators.running(request.param) as emulator:
        _forget_clients()
        yield emulator
    _forget_clients()


def _forget_clients() -> None:
    clients.forget()
    system.forget()


@pytest.fixture
def aws(emulator: Emulator, resources: dict[str, Any]) -> None:
    """An empty AWS with Retrace's bucket, tables and queues."""
    sweep(emulator, resources)


def sweep(emulator: Emulator, resources: dict[str, Any]) -> None:
    """Leave nothing but empty tables, queues and an empty bucket."""
    clients.received.clear()
    event_wiring.sources.cache_clear()
    replay_wiring.definitions.cache_clear()
    emulator.emptied(partial(_create, resources))


def _create(resources: dict[str, Any]) -> None:
    s3, dynamodb, sqs = clients.s3(), clients.dynamodb(), clients.sqs()
    s3.create_bucket(Bucket=SETTINGS["RAW_BUCKET"], CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=SETTINGS["RAW_BUCKET"], VersioningConfiguration={"Status": "Enabled"})
    for logical_id, variable in _TABLES.items():
        properties = resources[logical_id]["Properties"]
        defined = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        shape = {name: properties[name] for name in defined if name in properties}
        dynamodb.create_table(TableName=SETTINGS[variable], **shape)
    for variable in _QUEUES:
        sqs.create_queue(QueueName=SETTINGS[variable].rpartition("/")[2])
    for purpose in ("to", "dead-letters-of"):
        sqs.create_queue(QueueName=f"retrace-test-{purpose}-billing")
        sqs.create_queue(QueueName=f"retrace-test-{purpose}-ordered.fifo", Attributes={"FifoQueue": "true"})


@pytest.fixture
def storage(aws: None) -> Storage:
    """What lies in the bucket and the tables."""
    return Storage()


@pytest.fixture
def wire(aws: None, emulator: Emulator) -> Iterator[Wire]:
    """What every AWS call of the application goes over."""
    wire = Wire(emulator.deliver)
    clients_of_it = (system.s3, system.dynamodb, system.sqs)
    for client in clients_of_it:
        wire.attach(client())
    yield wire
    if wire.disturbed:  # a client remembers failures: it stops retrying after too many
        for client in clients_of_it:
            client.cache_clear()


@pytest.fixture
def application(wire: Wire) -> Iterator[Application]:
    """The application, ready for requests and queue messages."""
    system.settings.cache_clear()
    from app import app  # noqa: PLC0415  # as Lambda does: nothing of it runs before the environment stands

    with Client(app, stage_name="test", project_dir=str(ROOT)) as client:
        yield Application(client, app)
    system.settings.cache_clear()


@pytest.fixture
def set_setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetSetting]:
    """Gives the application another value of a setting, until the test ends."""

    def put(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        system.settings.cache_clear()

    yield put
    system.settings.cache_clear()


@pytest.fixture
def partial_responses(set_setting: SetSetting) -> None:
    """As `chalice package` deploys it: the event source mapping takes partial batch responses."""
    set_setting("REPORT_BATCH_ITEM_FAILURES", "true")


@dataclass(frozen=True)
class Logs:
    """What the application logged."""

    stream: io.StringIO

    @property
    def text(self) -> str:
        """All of it."""
        return self.stream.getvalue()

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The entries with a message."""
        entries: list[dict[str, Any]] = [json.loads(line) for line in self.text.splitlines()]
        return [entry for entry in entries if entry["message"] == message]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """What the application logs from now on."""
    stream = io.StringIO()
    [handler] = telemetry.logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    yield Logs(stream)
    handler.setStream(before)


@pytest.fixture
def reporting(application: Application, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application of a stage whose destination `billing` reports."""
    declared = json.loads(SETTINGS["DESTINATIONS"])
    declared["billing"]["reports"] = True
    monkeypatch.setenv("DESTINATIONS", json.dumps(declared))
    system.settings.cache_clear()
    return application
