"""Destinations for consumers of your own: messages wait there, and the consumer in examples/ gets every event."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from embedded.client import Api
from embedded.connection import Stack, shell_variables
from embedded.layout import Layout, free_port
from embedded.stack import down, up
from infra.command import Problem, silent
from tests.e2e.deployed import DESTINATIONS, Deployed, until
from tests.e2e.destinations import arn_of, consumer_of, queue_behind, url_of
from tests.e2e.samples import ROOT
from tests.e2e.workers.stack import messages_on
from tests.unit.producer.killing import started

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
    """The application, with destinations for consumers."""
    return up(layout, free_port(), silent, destinations=DESTINATIONS)


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Deployed:
    """That application, holding the sample day."""
    deployed = Deployed(stack)
    assert deployed.ingest(SAMPLE)["counts"]["accepted"] == len(SAMPLE)
    return deployed


@pytest.fixture(scope="module")
def consumer(deployed: Deployed) -> Stack:
    """The stack as a user sees it who may consume every destination, and nothing else."""
    return consumer_of(deployed, "consumer", "Billing", "Ordered", "News")


def replayed(deployed: Deployed, state: str, **options: str) -> dict[str, object]:
    """Ask for a replay and wait until it comes to a state; answers the job."""
    replay_id = deployed.post("/replay", REQUEST | options).json()["replay_id"]
    until(lambda: deployed.get(f"/replay/{replay_id}")["state"] == state)
    return deployed.get(f"/replay/{replay_id}")


def waiting(deployed: Deployed) -> dict[str, int]:
    """How many messages each queue of the stack has for consumers or the processor, in somebody's hands or not."""
    queues = [name for name in json.loads(deployed.stack.destinations) if name != "news"]
    return {name: count for name in queues if (count := messages_on(deployed.admin, url_of(deployed, name)))}


def run_example(consumer: Stack, destination: str) -> subprocess.CompletedProcess[bytes]:
    """Run the consumer until a queue is empty."""
    return subprocess.run(  # noqa: S603  # our own interpreter, our own script
        [sys.executable, ROOT / "examples/consumer/consumer.py", destination, "--until-empty"],
        env=environment_of(consumer),
        capture_output=True,
        timeout=300,
        check=False,
    )


def environment_of(consumer: Stack) -> dict[str, str]:
    """What a user who may consume has, and nothing else."""
    return {
        "AWS_ACCESS_KEY_ID": consumer.access_key_id,
        "AWS_SECRET_ACCESS_KEY": consumer.secret_access_key,
        "AWS_REGION": consumer.region,
        "AWS_DEFAULT_REGION": consumer.region,
        "AWS_ENDPOINT_URL": consumer.aws_endpoint_url,
        "DESTINATIONS": consumer.destinations,
        "RETRACE_URL": consumer.api_url,
    }


def test_messages_wait_at_the_destination_that_a_replay_names_and_nowhere_else(deployed: Deployed) -> None:
    job = replayed(deployed, "SENT", destination="billing")

    assert waiting(deployed) == {"billing": len(EVENTS)}
    assert (job["sent"], job["processed"]) == (len(EVENTS), 0)
    assert deployed.get("/aggregates", entity_id=ENTITY, day=DAY)["versions"] == []


def test_what_a_consumer_reports_is_counted(deployed: Deployed, consumer: Stack) -> None:
    found = deployed.admin.sqs.receive_message(
        QueueUrl=url_of(deployed, "billing"), MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    messages = [json.loads(each["Body"]) for each in found["Messages"]]
    replay_id = messages[0]["replay_id"]
    job = deployed.get(f"/replay/{replay_id}")
    body = {"outcomes": [{"event_id": each["event_id"], "outcome": "done"} for each in messages]}
    path, headers = f"/replay/{replay_id}/outcomes", {"Content-Type": "application/json"}

    answer = Api(consumer).call("POST", path, headers=headers, body=json.dumps(body).encode())

    assert answer.status == 200, answer.data
    assert answer.json()["recorded"] == len(messages)
    assert deployed.get(f"/replay/{replay_id}")["processed"] == len(messages) <= job["sent"]


def test_the_example_gets_every_event_as_it_was_sent_and_empties_the_queue(deployed: Deployed, consumer: Stack) -> None:
    finished = run_example(consumer, "billing")

    assert finished.returncode == 0, finished.stderr
    assert sorted(finished.stdout.splitlines()) == EVENTS
    assert waiting(deployed) == {}
    [job] = [each for each in deployed.get("/replay")["items"] if each["destination"] == "billing"]
    assert (job["state"], job["processed"], job["failed"]) == ("COMPLETE", len(EVENTS), 0)


def test_the_first_lines_of_the_page_are_a_consumer(deployed: Deployed, consumer: Stack) -> None:
    replay_id = replayed(deployed, "SENT", destination="billing")["replay_id"]
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/consumer.md").read_text(), re.DOTALL)

    with started("-u", "-c", code, environment=environment_of(consumer)) as process:
        until(lambda: deployed.get(f"/replay/{replay_id}")["state"] == "COMPLETE")
        process.send_signal(signal.SIGTERM)
        printed, complaints = process.communicate(timeout=120)

    assert (process.returncode, complaints) == (0, "")
    # What several threads print stands between the words of others.
    assert len(set(re.findall(rf"{replay_id}/[0-9a-f]{{64}}", printed))) == len(EVENTS)
    assert waiting(deployed) == {}


def test_a_replay_to_a_fifo_queue_comes_in_the_order_of_its_events(deployed: Deployed, consumer: Stack) -> None:
    replayed(deployed, "SENT", destination="ordered")

    finished = run_example(consumer, "ordered")

    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    order = [line["event_time"] for line in lines]
    assert (finished.returncode, len(order)) == (0, len(EVENTS)), finished.stderr
    assert order == sorted(order, key=datetime.fromisoformat)
    assert waiting(deployed) == {}


def test_a_replay_to_a_bus_reaches_the_targets_of_its_rules_and_no_queue(deployed: Deployed) -> None:
    [(kind, count)] = Counter(json.loads(line)["event_type"] for line in EVENTS).most_common(1)
    pattern = {"source": ["retrace"], "detail-type": [kind]}
    url = queue_behind(deployed, arn_of(deployed.stack, "news"), pattern, "behind-news")

    job = replayed(deployed, "SENT", destination="news")

    details: list[dict[str, Any]] = []

    def came() -> bool:
        answer = deployed.admin.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        details.extend(json.loads(found["Body"])["detail"] for found in answer.get("Messages", []))
        return len(details) >= count

    until(came)
    assert (job["sent"], job["processed"]) == (len(EVENTS), 0)
    assert len({detail["event_id"] for detail in details}) == len(details) == count
    named = {(detail["replay_id"], detail["destination"], detail["event_type"]) for detail in details}
    assert named == {(job["replay_id"], "news", kind)}
    assert waiting(deployed) == {}


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


def test_without_aggregates_declared_there_is_no_processor_and_no_destination_is_the_default(
    layout: Layout, deployed: Deployed, tmp_path: Path
) -> None:
    processed = replayed(deployed, "COMPLETE")
    file = tmp_path / "destinations.yaml"
    replayed(deployed, "SENT", destination="ordered")
    file.write_text("destinations: {billing: {kind: queue}}")
    with pytest.raises(Problem, match=f"ordered would be removed, but {len(EVENTS)} messages wait"):
        up(layout, None, silent, destinations=file)
    file.write_text("destinations: {billing: {kind: queue}, ordered: {kind: fifo}}")
    up(layout, None, silent, destinations=file)

    refused = deployed.post("/replay", REQUEST)
    sent = replayed(deployed, "SENT", destination="billing")

    assert (processed["processed"], sent["processed"]) == (len(EVENTS), 0)
    said = "is aggregates, which is not declared. Declared: billing, ordered"
    assert (refused.status, refused.json()["errors"]) == (400, [{"field": "destination", "message": said}])
    functions = deployed.admin.functions.list_functions()["Functions"]
    assert not [each for each in functions if "Processor" in each["FunctionName"]]
