"""How much is done for an event, and before the first one: counts, which no machine and no load changes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Counts = dict[str, dict[str, float]]


def said_by(*command: str) -> str:
    """What Python prints, in a process of its own: the bench puts its clock into the libraries."""
    arguments = [sys.executable, *command]
    finished = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  # fixed ones
    return finished.stdout


@pytest.fixture(scope="module")
def calls() -> Counts:
    """How many functions are called for an event, by workload and by whose code it is."""
    counts: Counts = json.loads(said_by("-m", "bench.cpu", "--counts"))
    return counts


@pytest.mark.parametrize(
    ("workload", "ours", "boto3"),
    [
        ("POST /ingest, one event", 770, 7_800),
        ("POST /ingest, 100 events", 290, 510),
        ("POST /ingest, 1,000 events", 285, 480),
        ("replay, 1,000 planned", 95, 840),
        ("replay, 100 processed", 560, 335),
        ("replay, 100 processed, 1 metric", 700, 370),
        ("replay, 100 processed, 5 metrics", 960, 450),
    ],
)
def test_an_event_takes_few_calls_of_functions(calls: Counts, workload: str, ours: int, boto3: int) -> None:
    assert calls[workload]["ours"] <= ours
    assert calls[workload]["boto3"] <= boto3


def test_the_page_says_how_many_functions_are_called(calls: Counts) -> None:
    """To a hundredth with the Python that it names. Newer ones call nothing for a comprehension: up to 7 % fewer."""
    page = (ROOT / "bench/performance.md").read_text()
    [python] = re.findall(r"with Python ([\d.]+\d)", page)
    rows = re.findall(r"^\| ([^|]+) \| ([\d,.]+) \| ([\d,.]+) \| ([\d,.]+) \| .*\|$", page, re.MULTILINE)
    said = {name: [float(number.replace(",", "")) for number in numbers] for name, *numbers in rows if name in calls}

    assert len(said) == 7
    for name, numbers in said.items():
        counted = [calls[name][owner] for owner in ("ours", "boto3", "framework")]
        assert numbers == pytest.approx(counted, rel=0.01 if sys.version.startswith(f"{python}.") else 0.1), name


def test_the_application_imports_no_use_case_and_no_adapter_before_it_is_called() -> None:
    imported = said_by("-c", "import app, sys; print(*sys.modules)").split()

    ours = {name.removeprefix("chalicelib.") for name in imported if name.startswith("chalicelib.")}
    assert {"api.middleware", "api.responses", "runtime.system", "runtime.telemetry"} <= ours
    stems = {name.rpartition(".")[2] for name in ours}
    assert not {stem for stem in stems if re.match("(dynamodb|kms|s3|secretsmanager|sqs)", stem)}
    assert not stems & {"dead_letters", "planner", "preview", "processor", "use_cases", "writer"}
    assert not stems & {"operations", "openapi"}


def test_the_application_imports_no_model_before_something_is_held_against_it() -> None:
    imported = said_by("-c", "import app, sys; print(*sys.modules)").split()

    assert "boto3" in imported
    assert not {"pydantic", "pydantic_core", "uuid6"} & set(imported)


def test_a_function_that_takes_events_in_never_imports_what_replays_them() -> None:
    imported = said_by(
        "-c", "import sys; from chalicelib import api; api.requests, api.ingest; print(*sys.modules)"
    ).split()

    assert "chalicelib.ingest.use_cases" in imported
    assert not {"chalicelib.replays.planner", "chalicelib.processing.processor", "chalicelib.replays.use_cases"} & set(
        imported
    )
