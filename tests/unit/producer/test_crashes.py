"""Processes that send are killed: nothing that `send` returned from is lost, and each event is stored once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.sizes import times
from tests.unit.producer.killing import Story, started
from tests.unit.producer.model_api import Fault, ModelApi, numbered, producer, serving

EVENTS = 600
KILLS = 4


def numbers(api: ModelApi) -> list[int]:
    """The events that it took in."""
    assert set(api.taken.values()) <= {1}
    return [json.loads(text)["payload"] for text in api.taken]


@pytest.mark.parametrize("seed", range(times(3)))
def test_a_process_killed_at_any_moment_loses_nothing_that_send_returned_from(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    lost = (Fault(503), Fault(takes=1.0), Fault(), Fault(503, takes=0.5))
    with serving(ModelApi(lambda _: random.choice(lost) if random.random() < 0.3 else None)) as api:
        story = Story(api.url, tmp_path, "shop", EVENTS)
        story.run(until=sorted(random.sample(range(1, EVENTS), KILLS)))

    story.assert_each_once(numbers(api))


@pytest.mark.parametrize("takes", [0.0, 0.5, 1.0], ids=["before", "amid", "after"])
def test_a_process_killed_while_the_api_takes_its_events_in_sends_them_again(takes: float, tmp_path: Path) -> None:
    processes: list[subprocess.Popen[str]] = []

    def kill(_: Sequence[bytes]) -> Fault | None:
        if processes:
            processes.pop().kill()
            return Fault(takes=takes)
        return None

    with serving(ModelApi()) as api:
        with started("-m", "tests.unit.producer.doomed", api.url, tmp_path, "shop", 0, 10_000, 5_000) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "sent 0\n"
            processes.append(process)
            api.fault = kill
            lines = [line.split() for line in process.stdout if line.endswith("\n")]
        api.fault = lambda _: None
        producer(api, tmp_path).close()

    reached = [int(number) for what, number in lines if what == "sent"][-1]
    decided = set(numbers(api)) | {json.loads(text)["payload"] for text in api.refused}
    assert set(range(reached + 1)) <= decided <= set(range(reached + 2))


FORKED = """
import os, sys
from retrace import Producer, ProducerError
from tests.unit.producer.killing import Story, started
from tests.unit.producer.model_api import numbered
producer = Producer({url!r}, spool={spool!r}, region="eu-west-1", max_batch_age_s=3600)
producer.send(numbered(1)[0])
child = os.fork()
if child == 0:
    {child}
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
producer.send(numbered(1, first=1)[0])
os.kill(os.getpid(), 9)
"""

REFUSED = """
    try:
        {}
    except ProducerError as error:
        assert "belongs to process" in str(error)
    else:
        sys.exit(1)
"""

IN_CHILD: dict[str, str] = {
    "exits": "pass",
    "closes": "producer.close()",
    "drops it": "del producer",
    "sends": REFUSED.format("producer.send({'payload': 1})"),
    "flushes": REFUSED.format("producer.flush()"),
}


@pytest.mark.parametrize("child", IN_CHILD.values(), ids=IN_CHILD)
def test_a_forked_child_cannot_use_a_producer_and_does_not_harm_it(child: str, tmp_path: Path) -> None:
    with serving(ModelApi()) as api:
        code = FORKED.format(url=api.url, spool=str(tmp_path), child=child)
        with started("-W", "ignore", "-c", code) as process:
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (-9, "")
        producer(api, tmp_path).close()

    assert api.taken == dict.fromkeys(numbered(2), 1)


FULL = """
import resource
from retrace import Producer, SpoolFull
from tests.unit.producer.killing import Story, started
from tests.unit.producer.model_api import numbered
with Producer({url!r}, spool={spool!r}, region="eu-west-1", max_batch_age_s=3600, close_timeout_s=0) as producer:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for number, event in enumerate(numbered(10_000)):
        try:
            producer.send(event)
        except SpoolFull as error:
            print(number, error)
            break
"""


def test_what_a_full_disk_does_not_take_is_an_error_of_send_and_the_rest_is_kept(tmp_path: Path) -> None:
    with serving(ModelApi()) as api:
        with started("-c", FULL.format(url=api.url, spool=str(tmp_path))) as process:
            said, _ = process.communicate(timeout=60)
        number = int(said.split()[0])
        assert "Make room on the disk." in said
        producer(api, tmp_path).close()

    assert number > 0
    assert api.taken == dict.fromkeys(numbered(number), 1)
