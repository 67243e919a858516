"""infra/: the two files merge into one template that Chalice can merge over its own."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.merge import FUNCTIONS, RESOURCES, load, merged

CHALICE_RESOURCES = {"APIHandler", "ApiHandlerRole", "Planner", "PlannerRole", "Processor", "ProcessorRole", "RestAPI"}
"""What Chalice calls what it generates for app.py; functions.yaml adds to these."""


@pytest.fixture
def template() -> dict[str, Any]:
    merged_template: dict[str, Any] = json.loads(merged())
    return merged_template


def references(node: Any) -> Iterator[str]:
    """Every logical id that a part of a template refers to."""
    match node:
        case {"Ref": str(name)}:
            yield from [] if name.startswith("AWS::") else [name]
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from re.findall(r"\$\{([A-Za-z0-9]+)(?:\.\w+)?}", text)
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for value in node:
                yield from references(value)


def test_everything_of_both_files_is_in_the_merged_template(template: dict[str, Any]) -> None:
    for section in ("Parameters", "Resources", "Outputs"):
        assert template[section].keys() == load(RESOURCES)[section].keys() | load(FUNCTIONS)[section].keys()


def test_every_reference_is_to_something_that_is_there(template: dict[str, Any]) -> None:
    known = template["Parameters"].keys() | template["Resources"].keys() | CHALICE_RESOURCES

    assert set(references(template)) <= known


def test_resources_alone_refer_to_nothing_that_only_chalice_makes() -> None:
    resources = load(RESOURCES)

    assert set(references(resources)) <= resources["Parameters"].keys() | resources["Resources"].keys()


def test_functions_override_nothing_of_the_resources() -> None:
    assert not load(RESOURCES)["Resources"].keys() & load(FUNCTIONS)["Resources"].keys()


def test_partial_batch_responses_are_announced_exactly_where_they_are_given(template: dict[str, Any]) -> None:
    for name in ("APIHandler", "Planner", "Processor"):
        properties = template["Resources"][name]["Properties"]
        given = properties["Environment"]["Variables"].get("REPORT_BATCH_ITEM_FAILURES") == "true"
        sources = properties.get("Events", {}).values()
        announced = any("FunctionResponseTypes" in source["Properties"] for source in sources)
        assert given == announced, name


@pytest.mark.parametrize(("queue", "function"), [("ReplayQueue", "processor"), ("ReplayJobsQueue", "planner")])
def test_a_message_stays_hidden_for_six_timeouts_of_the_function_that_has_it(
    template: dict[str, Any], queue: str, function: str
) -> None:
    config = json.loads((RESOURCES.parents[1] / ".chalice" / "config.json").read_text())
    timeout = config["stages"]["dev"]["lambda_functions"][function]["lambda_timeout"]

    assert template["Resources"][queue]["Properties"]["VisibilityTimeout"] == 6 * timeout


def test_nothing_that_holds_data_goes_with_the_stack(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        if resource.get("Type") in {"AWS::S3::Bucket", "AWS::DynamoDB::Table"}:
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain", name
