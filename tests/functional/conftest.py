"""The whole application in one process: Chalice's test client in front, moto as AWS, resources as infra/ defines them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from chalice.test import Client
from moto import mock_aws

from chalicelib import wiring
from tests.conftest import SETTINGS
from tests.functional.application import Application

ROOT = Path(__file__).parents[2]

_TABLES = {
    "EventsTable": "EVENTS_TABLE",
    "DedupeTable": "DEDUPE_TABLE",
    "ReplaysTable": "REPLAYS_TABLE",
    "AggregatesTable": "AGGREGATES_TABLE",
}


class _Template(yaml.SafeLoader):
    """Reads a CloudFormation template for its plain properties; intrinsic functions are left out."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: None)


@pytest.fixture(scope="session")
def resources() -> dict[str, Any]:
    """The resources of infra/resources.yaml."""
    template = yaml.load((ROOT / "infra/resources.yaml").read_text(), Loader=_Template)  # noqa: S506  # a SafeLoader
    resources: dict[str, Any] = template["Resources"]
    return resources


@pytest.fixture
def aws(resources: dict[str, Any]) -> Iterator[None]:
    """An empty AWS with Retrace's bucket, tables and queues."""
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(
            Bucket=SETTINGS["RAW_BUCKET"], CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        s3.put_bucket_versioning(Bucket=SETTINGS["RAW_BUCKET"], VersioningConfiguration={"Status": "Enabled"})
        for logical_id, variable in _TABLES.items():
            properties = resources[logical_id]["Properties"]
            defined = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
            shape = {name: properties[name] for name in defined if name in properties}
            boto3.client("dynamodb").create_table(TableName=SETTINGS[variable], **shape)
        for variable in ("REPLAY_QUEUE_URL", "REPLAY_JOBS_QUEUE_URL"):
            boto3.client("sqs").create_queue(QueueName=SETTINGS[variable].rpartition("/")[2])
        yield


@pytest.fixture
def application(aws: None) -> Iterator[Application]:
    """The application, ready for requests and queue messages."""
    wiring.settings.cache_clear()
    from app import app

    with Client(app, stage_name="test", project_dir=str(ROOT)) as client:
        yield Application(client)
