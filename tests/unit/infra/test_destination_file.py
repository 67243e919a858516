"""destinations.yaml: what it may declare, and that every fault is told with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chalicelib.replays.destinations import MAX_NAME
from infra.command import Problem
from infra.destination_file import DEFAULT, MAX_DESTINATIONS, Declared, declared_in, file_of
from tests import destination_schema

REGION = "eu-west-1"
ARN = f"arn:aws:sqs:{REGION}:222222222222:theirs"
ROOT = Path(__file__).parents[3]


def declared(directory: Path, text: str) -> tuple[Declared, ...]:
    file = directory / "destinations.yaml"
    file.write_text(text)
    return declared_in(file, REGION)


def test_own_and_existing_queues_are_declared_by_name(tmp_path: Path) -> None:
    text = f"""
destinations:
  aggregates:
  billing: {{kind: queue, rate: 2.5}}
  eu-ledger: {{kind: fifo}}
  theirs: {{kind: queue, arn: "{ARN}"}}
"""

    assert declared(tmp_path, text) == (
        *DEFAULT,
        Declared("billing", "queue", None, 2.5),
        Declared("eu-ledger", "fifo"),
        Declared("theirs", "queue", ARN),
    )


def test_the_file_of_the_stage_comes_before_that_of_all_stages(tmp_path: Path) -> None:
    assert file_of("prod", tmp_path) is None
    assert declared_in(None, REGION) == DEFAULT

    for name in ("destinations.yaml", "destinations.prod.yaml"):
        (tmp_path / name).write_text("")
    found = [file_of(stage, tmp_path) for stage in ("prod", "dev")]

    assert found == [tmp_path / "destinations.prod.yaml", tmp_path / "destinations.yaml"]


OF_RETRACE = re.findall(
    r'QueueName: !Sub "(.+)"', (ROOT / "infra/resources.yaml").read_text().replace("${Stage}", "dev")
)
NAMES = "\n".join(f"  d{at}: {{kind: queue}}" for at in "abcdefghijk")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1 destinations must have at least one destination, by its name"),
        ("destinations: []", "1 destinations must have at least one destination, by its name"),
        ("destinations: {a: {kind: queue}}\nqueues: 1", "2 queues is not known: the file has `destinations`"),
        (f"destinations:\n{NAMES}", f"1 destinations are 11; a stage has at most {MAX_DESTINATIONS}"),
        ("destinations:\n  Billing: {kind: queue}", "2 destinations.Billing is no name: use at most"),
        (f"destinations:\n  {'a' * (MAX_NAME + 1)}: {{kind: queue}}", "is no name: use at most"),
        ("destinations:\n  a: {kind: queue}\n  a: {kind: fifo}", "3 destinations.a is a duplicate key"),
        ("destinations:\n  aggregates:\n    kind: queue", "2 destinations.aggregates is built in and has no members"),
        (
            "destinations:\n  a:\n    kind: topic",
            "3 destinations.a.kind input should be 'queue', 'fifo' or 'eventbridge'",
        ),
        ("destinations:\n  a:\n    arn: x", "2 destinations.a.kind"),
        ("destinations:\n  a:\n    kind: queue\n    arn: x", "4 destinations.a.arn string should match pattern"),
        ("destinations:\n  a:\n    kind: queue\n    rte: 5", "4 destinations.a.rte is not a known field"),
        (f"destinations:\n  a:\n    kind: fifo\n    arn: '{ARN}'", "4 destinations.a.arn is of kind queue, not fifo"),
        (
            f"destinations:\n  a:\n    kind: queue\n    arn: '{ARN.replace('eu-west', 'us-east')}'",
            "4 destinations.a.arn is in us-east-1, but the stage is in eu-west-1",
        ),
        (
            f"destinations:\n  a:\n    kind: queue\n    arn: 'arn:aws:events:{REGION}:222222222222:event-bus/b'",
            "4 destinations.a.arn is of kind eventbridge, not queue",
        ),
        ("destinations:\n  a:\n    kind: queue\n    rate: 0", "4 destinations.a.rate input should be greater than"),
        (
            "destinations:\n  a:\n    kind: queue\n    rate: fast",
            "rate input should be a valid number",
        ),
        (
            f"destinations:\n  a: {{kind: queue, arn: '{ARN}'}}\n  b: {{kind: queue, arn: '{ARN}'}}",
            "3 destinations.b.arn is that of a. Declare one of the two",
        ),
        *(
            (
                f"destinations:\n  a:\n    kind: queue\n    arn: 'arn:aws:sqs:{REGION}:222222222222:{queue}'",
                "4 destinations.a.arn is a queue of Retrace itself",
            )
            for queue in OF_RETRACE
        ),
        ("destinations:\n  a: [", "is not YAML"),
        ("destinations:\n  a: *b", "2 uses an alias"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Problem) as refused:
        declared(tmp_path, text)

    assert f"destinations.yaml:{told}" in refused.value.what or told in refused.value.what


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Problem) as refused:
        declared(tmp_path, "destinations:\n  A: {kind: queue}\n  b: {kind: topic}\n  c: {}\nmore: 1")

    lines = [line.split(":")[1].split()[0] for line in refused.value.what.splitlines()]
    assert lines == ["2", "3", "4", "5"]


@pytest.mark.parametrize("file", ["examples/destinations.yaml", "tests/e2e/destinations.yaml"])
def test_the_examples_declare_what_they_say(file: str) -> None:
    names = [each.name for each in declared_in(ROOT / file, REGION)]

    assert names[:3] == ["aggregates", "billing", "ordered"]


def test_the_json_schema_is_that_of_the_model() -> None:
    assert destination_schema.FILE.read_text() == destination_schema.text()
