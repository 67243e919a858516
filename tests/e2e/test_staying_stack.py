"""The stack behind `make up`: what it holds survives `make down`, and a second `make up` brings it up to date."""

import gzip
import http
import json
import stat
from collections.abc import Iterator

import pytest
import urllib3

from embedded import connection, server
from embedded.__main__ import main
from embedded.admin import Admin
from embedded.client import Api
from embedded.connection import Stack
from embedded.layout import ON_THE_PATH, Layout, free_port
from embedded.stack import down, up
from infra.command import silent

EVENT = (
    b'{"source":"shop","event_type":"order.paid","entity_id":"order-1","event_time":"2026-11-21T09:00:00Z",'
    b'"payload":{"total":1.10,"number":12345678901234567890,"rate":1.688560107857E9,"note":"\xe2\x82\xac"}}'
)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A stack's directory; the stack in it is stopped after the tests."""
    layout = Layout(tmp_path_factory.mktemp("retrace"))
    yield layout
    down(layout, silent)


@pytest.fixture(scope="module")
def stack(layout: Layout) -> Stack:
    return up(layout, free_port(), silent)


def event_id_of(response: bytes) -> str:
    event_id: str = json.loads(response)["event_id"]
    return event_id


def test_local_json_says_how_to_reach_it_and_only_to_its_owner(layout: Layout, stack: Stack) -> None:
    assert connection.load(layout.connection_file) == stack
    assert stat.S_IMODE(layout.connection_file.stat().st_mode) == 0o600


def test_no_route_answers_without_a_signature(stack: Stack) -> None:
    answer = urllib3.PoolManager().request("GET", f"{stack.api_url}/health")

    assert answer.status == http.HTTPStatus.FORBIDDEN


def test_a_gzip_body_arrives_byte_for_byte_and_the_answer_is_text(stack: Stack) -> None:
    api = Api(stack)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    sent = api.call("POST", "/ingest", body=gzip.compress(EVENT), headers=headers)
    raw = api.call("GET", f"/events/{event_id_of(sent.data)}/raw")

    assert raw.data == EVENT


def test_it_listens_on_the_loopback_interface_only(stack: Stack) -> None:
    assert stack.api_url.startswith("http://127.0.0.1:")
    assert stack.aws_endpoint_url.startswith("http://127.0.0.1:")


def test_what_cloudformation_passes_over_is_applied(stack: Stack) -> None:
    admin = Admin.of(stack)

    lock = admin.s3.get_object_lock_configuration(Bucket=stack.raw_bucket)["ObjectLockConfiguration"]
    assert lock["ObjectLockEnabled"] == "Enabled"

    for table in (stack.dedupe_table, stack.replays_table):
        expiry = admin.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")


def test_a_second_up_changes_nothing_but_the_code_and_says_where_all_is(
    layout: Layout, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up"], layout, {}) == 0

    assert connection.load(layout.connection_file) == stack
    said = capsys.readouterr().out
    assert f"{stack.api_url}/health" in said
    assert f"\n  {ON_THE_PATH}\n  retrace ingest examples/shop-day/day.ndjson\n" in said
    assert "\n  retrace console " in said
    assert "http://127.0.0.1:4630/" in said


def test_events_queued_messages_and_keys_survive_down_and_up(layout: Layout, stack: Stack) -> None:
    body = EVENT.replace(b"order-1", b"order-2")
    sent = Api(stack).call("POST", "/ingest", body=body, headers={"Content-Type": "application/json"})
    Admin.of(stack).sqs.send_message(QueueUrl=stack.dead_letter_queue_url, MessageBody="kept")

    assert down(layout, silent)
    assert server.find(layout) is None
    again = up(layout, None, silent)

    assert again == stack
    assert Api(again).call("GET", f"/events/{event_id_of(sent.data)}/raw").data == body
    kept = Admin.of(again).sqs.receive_message(QueueUrl=again.dead_letter_queue_url)["Messages"]
    assert [message["Body"] for message in kept] == ["kept"]
