"""A deployment without a processor: messages wait for a consumer, and the one in examples/ gets every event."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from embedded.client import Api
from embedded.connection import Stack, shell_variables
from embedded.deployment import STACK_NAME
from embedded.layout import Layout, free_port
from embedded.stack import down, up
from infra.command import silent
from tests.e2e.deployed import Deployed, until
from tests.e2e.samples import ROOT

WITHOUT_PROCESSOR = {"EnableProcessor": "false"}
ENTITY, DAY = "depot-lyon", "2025-11-28"
REQUEST = {"entity_id": ENTITY, "start_time": f"{DAY}T00:00:00Z", "end_time": "2025-11-29T00:00:00Z"}

SAMPLE = (ROOT / "examples/shop-day/day.ndjson").read_bytes().splitlines()
EVENTS = sorted(line for line in SAMPLE if json.loads(line)["entity_id"] == ENTITY)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A stack's directory; the stack in it is stopped after the tests."""
    layout = Layout(tmp_path_factory.mktemp("retrace"))
    yield layout
    down(layout, silent)


@pytest.fixture(scope="module")
def stack(layout: Layout) -> Stack:
    """The application, without a processor."""
    return up(layout, free_port(), silent, WITHOUT_PROCESSOR)


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Deployed:
    """That application, holding the sample day."""
    deployed = Deployed(stack)
    assert deployed.ingest(SAMPLE)["counts"]["accepted"] == len(SAMPLE)
    return deployed


@pytest.fixture(scope="module")
def consumer(deployed: Deployed) -> Stack:
    """The stack as a user sees it who may consume, and nothing else."""
    iam, stack = deployed.admin.iam, deployed.stack
    [found] = deployed.admin.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    [policy] = [output["OutputValue"] for output in found["Outputs"] if output["OutputKey"] == "ConsumerPolicyArn"]
    iam.create_user(UserName="consumer")
    iam.attach_user_policy(UserName="consumer", PolicyArn=policy)
    key = iam.create_access_key(UserName="consumer")["AccessKey"]
    own = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
    return Stack(**{name: getattr(stack, name) for name in stack.__slots__} | own)


def replayed(deployed: Deployed, state: str, **options: str) -> dict[str, object]:
    """Ask for a replay and wait until it comes to a state; answers the job."""
    replay_id = deployed.post("/replay", REQUEST | options).json()["replay_id"]
    until(lambda: deployed.get(f"/replay/{replay_id}")["state"] == state)
    return deployed.get(f"/replay/{replay_id}")


def waiting(deployed: Deployed) -> int:
    """How many messages are on ReplayQueue, in somebody's hands or not."""
    found = deployed.admin.sqs.get_queue_attributes(
        QueueUrl=deployed.stack.replay_queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    return sum(map(int, found["Attributes"].values()))


def run_example(consumer: Stack, queue_url: str) -> subprocess.CompletedProcess[bytes]:
    """Run the consumer until a queue is empty, with what a user of its kind has and nothing else."""
    environment: Mapping[str, str] = {
        "AWS_ACCESS_KEY_ID": consumer.access_key_id,
        "AWS_SECRET_ACCESS_KEY": consumer.secret_access_key,
        "AWS_REGION": consumer.region,
        "AWS_DEFAULT_REGION": consumer.region,
        "AWS_ENDPOINT_URL": consumer.aws_endpoint_url,
        "REPLAY_QUEUE_URL": queue_url,
    }
    return subprocess.run(  # noqa: S603  # our own interpreter, our own script
        [sys.executable, ROOT / "examples/consumer/consumer.py", "--until-empty"],
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )


def test_messages_wait_where_no_processor_reads_them(deployed: Deployed) -> None:
    job = replayed(deployed, "SENT")

    assert waiting(deployed) == job["sent"] == len(EVENTS)
    assert job["processed"] == 0
    assert deployed.get("/aggregates", entity_id=ENTITY, day=DAY)["versions"] == []


def test_the_example_gets_every_event_as_it_was_sent_and_empties_the_queue(deployed: Deployed, consumer: Stack) -> None:
    finished = run_example(consumer, consumer.replay_queue_url)

    assert finished.returncode == 0, finished.stderr
    assert sorted(line.split(b',"event":', 1)[1][:-1] for line in finished.stdout.splitlines()) == EVENTS
    assert waiting(deployed) == 0


def test_an_ordered_replay_comes_in_the_order_of_its_events(deployed: Deployed, consumer: Stack) -> None:
    replayed(deployed, "SENT", order="entity")

    finished = run_example(consumer, consumer.ordered_replay_queue_url)

    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    order = [(line["event_time"], line["event_id"]) for line in lines]
    assert (finished.returncode, len(order)) == (0, len(EVENTS)), finished.stderr
    assert order == sorted(order)
    assert waiting(deployed) == 0


def test_the_session_of_the_examples_page_works_as_printed(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".retrace").mkdir()
    (tmp_path / ".retrace/local.env").write_text(shell_variables(stack))
    for name in ("examples", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    section = (ROOT / "examples/README.md").read_text().split("\n## A consumer\n")[1]
    [lines] = re.findall(r"```sh\n[^\n]* make up [^\n]*\n(.*?)```", section, re.DOTALL)

    session = subprocess.run(  # noqa: S603  # the page's own lines
        ["/bin/bash", "-euo", "pipefail", "-c", lines], cwd=tmp_path, capture_output=True, timeout=300, check=False
    )

    assert session.returncode == 0, session.stderr
    assert len((tmp_path / "scans.ndjson").read_bytes().splitlines()) == len(EVENTS) == 27


def test_who_may_consume_may_do_nothing_else(stack: Stack, consumer: Stack) -> None:
    question = {"entity_id": ENTITY, "day": DAY}

    assert [Api(user).call("GET", "/aggregates", query=question).status for user in (stack, consumer)] == [200, 403]


def test_a_processor_can_be_put_there_and_taken_away_again(layout: Layout, deployed: Deployed) -> None:
    up(layout, None, silent)
    processed = replayed(deployed, "COMPLETE")
    up(layout, None, silent, WITHOUT_PROCESSOR)
    sent = replayed(deployed, "SENT")

    assert (processed["processed"], sent["processed"]) == (len(EVENTS), 0)
    assert waiting(deployed) == len(EVENTS)
