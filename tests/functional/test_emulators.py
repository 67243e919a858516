"""Each test begins with an AWS that has Retrace's resources and nothing of the test before."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models import dynamodb_backends

from tests.conftest import ACCOUNT, SETTINGS
from tests.functional import clients, conftest
from tests.functional.emulators import Emulator
from tests.functional.in_moto import Moto
from tests.functional.storage import Storage

_QUEUE = SETTINGS["REPLAY_QUEUE_URL"]


def test_what_a_test_left_or_changed_is_not_there_in_the_next(
    emulator: Emulator, resources: dict[str, Any], storage: Storage
) -> None:
    before = storage.everything(), _queues(), clients.dynamodb().list_tables()["TableNames"]

    storage.put("DEDUPE_TABLE", {"event_id": "one"})
    storage.put("EVENTS_TABLE", {"PK": "one", "SK": "two"})
    clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key="one", Body=b"1")
    clients.sqs().send_message(QueueUrl=_QUEUE, MessageBody="one")
    clients.sqs().set_queue_attributes(QueueUrl=_QUEUE, Attributes={"VisibilityTimeout": "1"})
    clients.sqs().create_queue(QueueName="another")
    clients.dynamodb().delete_table(TableName=SETTINGS["AGGREGATES_TABLE"])
    clients.s3().put_bucket_versioning(Bucket=SETTINGS["RAW_BUCKET"], VersioningConfiguration={"Status": "Suspended"})
    conftest.sweep(emulator, resources)

    assert (storage.everything(), _queues(), clients.dynamodb().list_tables()["TableNames"]) == before
    assert clients.s3().get_bucket_versioning(Bucket=SETTINGS["RAW_BUCKET"])["Status"] == "Enabled"
    clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key="one", Body=b"2", IfNoneMatch="*")


def _queues() -> dict[str, tuple[str, ...]]:
    """How many messages are in each queue, and how long one that was delivered is hidden."""
    names: Any = ["ApproximateNumberOfMessages", "VisibilityTimeout"]
    return {
        url: tuple(clients.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())
        for url in clients.sqs().list_queues()["QueueUrls"]
    }


def test_tables_are_in_the_emulator_that_was_chosen(emulator: Emulator, aws: None) -> None:
    in_moto = set(dynamodb_backends[ACCOUNT][SETTINGS["AWS_DEFAULT_REGION"]].tables)

    assert in_moto == (set(clients.dynamodb().list_tables()["TableNames"]) if isinstance(emulator, Moto) else set())
