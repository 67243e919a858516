"""destinations.yaml: what it may declare, and that every fault is told with its line."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from chalicelib.replays.destinations import MAX_NAME
from infra.command import Problem
from infra.destination_file import DEFAULT, MAX_DESTINATIONS, Declared, declared_in, file_of, require_reporters
from tests import destination_schema

REGION = "eu-west-1"
ARN = f"arn:aws:sqs:{REGION}:222222222222:theirs"
ROOT = Path(__file__).parents[3]


def declared(directory: Path, text: str) -> tuple[Declared, ...]:
    file = directory / "destinations.yaml"
    file.write_text(text)
    return declared_in(file, REGION, "dev")


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


def test_a_queue_that_another_stage_makes_is_taken(tmp_path: Path) -> None:
    arn = f"arn:aws:sqs:{REGION}:111111111111:retrace-dev-eu-to-a"

    assert declared(tmp_path, f"destinations: {{a: {{kind: queue, arn: '{arn}'}}}}") == (Declared("a", "queue", arn),)


def test_the_file_of_the_stage_comes_before_that_of_all_stages(tmp_path: Path) -> None:
    assert file_of("prod", tmp_path) is None
    assert declared_in(None, REGION, "dev") == DEFAULT

    for name in ("destinations.yaml", "destinations.prod.yaml"):
        (tmp_path / name).write_text("")
    found = [file_of(stage, tmp_path) for stage in ("prod", "dev")]

    assert found == [tmp_path / "destinations.prod.yaml", tmp_path / "destinations.yaml"]


OF_RETRACE = re.findall(
    r'QueueName: !Sub "(.+)"', (ROOT / "infra/resources.yaml").read_text().replace("${Stage}", "dev")
)
OF_THE_STAGE = (
    ("queue", f"sqs:{REGION}:111111111111:retrace-dev-to-a"),
    ("fifo", f"sqs:{REGION}:111111111111:retrace-dev-to-gone.fifo"),
    ("eventbridge", f"events:{REGION}:111111111111:event-bus/retrace-dev-to-a"),
)
ROLE = "arn:aws:iam::111122223333:role/service-role/billing"
NAMES = "\n".join(f"  d{at}: {{kind: queue}}" for at in "abcdefghijk")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1 destinations must have at least one destination, by its name"),
        ("destinations: []", "1 destinations must have at least one destination, by its name"),
        ("destinations: {a: {kind: queue}}\nqueues: 1", "2 queues is not known: the file has `destinations`"),
        (f"destinations:\n{NAMES}", f"1 destinations are 11: a stage has at most {MAX_DESTINATIONS}"),
        ("destinations:\n  Billing: {kind: queue}", "2 destinations.Billing is not a valid name: use at most"),
        (f"destinations:\n  {'a' * (MAX_NAME + 1)}: {{kind: queue}}", "is not a valid name: use at most"),
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
        *(
            (
                f"destinations:\n  a:\n  b:\n    kind: {kind}\n    arn: 'arn:aws:{place}'",
                "5 destinations.b.arn is one that the stage dev makes. Leave `arn` out, or name another",
            )
            for kind, place in OF_THE_STAGE
        ),
        (
            f"destinations:\n  a:\n    kind: queue\n    arn: '{ARN.replace('theirs', 'retrace-x-dead-letters-of-a')}'",
            "4 destinations.a.arn is a queue of Retrace itself",
        ),
        (
            "destinations:\n  a:\n    kind: queue\n    reporters: [billing]",
            "destinations.a.reporters.0 string should match pattern",
        ),
        (
            f"destinations:\n  a:\n    kind: queue\n    reporters: ['{ROLE}']",
            "4 destinations.a.reporters are named, but it takes no reports. Set `reports: true`",
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


def test_reporters_are_told_to_functions_without_what_api_gateway_leaves_out(tmp_path: Path) -> None:
    text = f"destinations:\n  a: {{kind: queue, reports: true, reporters: ['{ROLE}']}}"

    [found] = declared(tmp_path, text)

    assert found.options == {"own": True, "reports": True, "reporters": ["111122223333:role/billing"]}


def test_more_reporters_than_fit_beside_other_settings_are_refused(tmp_path: Path) -> None:
    roles = [f"arn:aws:iam::111122223333:role/{'r' * 60}{number}" for number in range(40)]
    text = "destinations:\n  a: {{kind: queue, reports: true, reporters: {}}}"

    assert len(declared(tmp_path, text.format(roles[:20]))[0].reporters) == 20
    with pytest.raises(Problem, match=r"destinations.yaml has [3-9],\d+ bytes of names, ARNs and reporters"):
        declared(tmp_path, text.format(roles))


@pytest.mark.parametrize(
    ("reporters", "told"),
    [
        ({"a": ()}, None),
        ({"a": (ROLE,), "b": (ROLE,)}, None),
        ({"a": (ROLE,), "b": ()}, "any of them could report on replays to b."),
        ({"a": (), "b": ()}, "any of them could report on replays to a, b."),
    ],
)
def test_of_several_consumers_that_report_each_names_its_reporters(
    reporters: dict[str, tuple[str, ...]], told: str | None
) -> None:
    every = (*DEFAULT, *(Declared(name, reports=True, reporters=named) for name, named in reporters.items()))

    with nullcontext() if told is None else pytest.raises(Problem, match=told):
        assert require_reporters(every) is None  # type: ignore[func-returns-value]  # it only raises


@pytest.mark.parametrize("file", ["examples/destinations.yaml", "tests/e2e/destinations.yaml"])
def test_the_examples_declare_what_they_say(file: str) -> None:
    names = [each.name for each in declared_in(ROOT / file, REGION, "dev")]

    assert names[:3] == ["aggregates", "billing", "ordered"]


def test_the_json_schema_is_that_of_the_model() -> None:
    assert destination_schema.FILE.read_text() == destination_schema.text()
