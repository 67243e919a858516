"""The JSON Schema of files of metrics: what is generated, and true of files that are taken and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.definition_schema import FILE, text

SCHEMA: dict[str, Any] = json.loads(FILE.read_text())
EXAMPLES = Path(__file__).parents[3] / "examples"
EXAMPLE = EXAMPLES / "metrics.yaml"
REVENUE: dict[str, Any] = {"name": "revenue", "aggregate": "sum", "value": "/amount"}


def is_valid(*definitions: Any) -> bool:
    return Draft202012Validator(SCHEMA).is_valid({"metrics": [*definitions]})


def test_the_file_is_what_the_model_says() -> None:
    assert FILE.read_text() == text(), "python -m tests.definition_schema writes it"
    Draft202012Validator.check_schema(SCHEMA)


def test_the_example_is_valid_and_names_the_schema() -> None:
    content = EXAMPLE.read_text()

    assert Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(content))
    assert (EXAMPLES / content.splitlines()[0].rpartition("=")[2]).resolve() == FILE


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"where": [{"path": "/a", "equals": None}, {"path": "/b", "in": [1, "x"]}, {"path": "/c", "exists": False}]},
        {"group_by": ["", "/a~1b"], "time_zone": "Europe/Paris", "on_missing": "fail", "parse": "decimal"},
        {"aggregate": "percentile", "percentile": 99.9},
        {"aggregate": "percentile", "percentile": "99.9"},
    ],
)
def test_what_is_well_formed_is_valid(more: dict[str, Any]) -> None:
    assert is_valid(REVENUE | more)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Revenue"},
        {"aggregate": "median"},
        {"value": "amount"},
        {"value": "/a~2"},
        {"where": [{"path": "/a", "equals": {}}]},
        {"where": [{"equals": 1}]},
        {"group_by": ["/a", "/b", "/c", "/d"]},
        {"percentile": 101},
        {"on_missing": "ignore"},
        {"unit": "EUR"},
    ],
)
def test_what_is_not_is_refused_by_editors_too(wrong: dict[str, Any]) -> None:
    assert not is_valid(REVENUE | wrong)
