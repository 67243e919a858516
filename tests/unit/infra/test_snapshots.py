"""SnapStart: what is published, when it is published again, and that API Gateway calls it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app import app
from infra.merge import FILES, WITHOUT_SNAPSHOTS, load, merged, prepared

PUBLISHED = {"APIHandler": ("ApiVersion", "ApiAlias"), "IngestHandler": ("IngestVersion", "IngestAlias")}

LONGEST = {"Stage": 16, "WebhookSecretArn": 140, "TypeDayShards": 2, "SnapStart": 5}
LONGEST |= {"TypeDayShardsRead": 2, "ProcessorConcurrency": 4, "IndexLagSeconds": 3}
"""What their patterns and bounds allow; of other numbers nobody needs more than ten digits."""


@pytest.fixture
def template() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(merged())
    return found


def parameters(node: Any, template: dict[str, Any]) -> Iterator[str]:
    """Every parameter that a part of a template depends on, by way of conditions too."""
    match node:
        case {"Ref": str(name)} if name in template["Parameters"]:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (name for name in re.findall(r"\$\{(\w+)}", text) if name in template["Parameters"])
        case {"Fn::If": [str(condition), *branches]}:
            yield from parameters(template["Conditions"][condition], template)
            yield from parameters(branches, template)
        case dict():
            yield from parameters(list(node.values()), template)
        case list():
            for value in node:
                yield from parameters(value, template)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_function_and_its_version_name_all_that_decides_about_it(name: str, template: dict[str, Any]) -> None:
    function = template["Resources"][name]["Properties"]
    version = template["Resources"][PUBLISHED[name][0]]["Properties"]
    of_all_versions = ("Description", "ReservedConcurrentExecutions")
    others = {key: value for key, value in function.items() if key not in of_all_versions}

    assert version["Description"] == function["Description"]
    assert set(parameters(others, template)) <= set(parameters(version["Description"], template))


def test_another_release_publishes_other_versions() -> None:
    texts = set()
    for release in ("one", "two"):
        source: dict[str, Any] = {"Parameters": {"SnapStart": {}}, "Resources": {}}
        for path in FILES:
            source["Resources"] |= load(path)["Resources"]
        resources = prepared(source, "python3.13", release)["Resources"]
        texts |= {resources[version]["Properties"]["Description"]["Fn::Sub"] for version, _ in PUBLISHED.values()}

    assert {text.partition(" ")[0] for text in texts} == {"one", "two"}


def test_a_release_is_no_longer_than_lambda_takes(template: dict[str, Any]) -> None:
    text = template["Resources"]["ApiVersion"]["Properties"]["Description"]["Fn::Sub"]
    names = re.findall(r"\$\{(\w+)}", text)

    assert template["Parameters"]["WebhookSecretArn"]["MaxLength"] == LONGEST["WebhookSecretArn"]
    assert len(re.sub(r"\$\{\w+}", "", text)) + sum(LONGEST.get(name, 10) for name in names) <= 256


def test_every_route_calls_the_published_version_if_there_is_one(template: dict[str, Any]) -> None:
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    called = {
        (path, method): paths[path][method.lower()]["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"][1]["Called"]
        for path, methods in app.routes.items()
        for method in methods
    }
    of_alias = {
        name: {"Fn::If": ["StartsFromSnapshots", {"Ref": alias}, {"Fn::GetAtt": [name, "Arn"]}]}
        for name, (_, alias) in PUBLISHED.items()
    }

    assert {route for route, function in called.items() if function == of_alias["IngestHandler"]} == {
        ("/ingest", "POST"),
        ("/rejected/{rejected_id}/retry", "POST"),
    }
    assert all(function in of_alias.values() for function in called.values())


def test_there_are_no_versions_unless_they_are_asked_for(template: dict[str, Any]) -> None:
    ours = [name for name, each in template["Resources"].items() if each.get("Type", "").startswith("AWS::Lambda::")]
    published = [name for name in ours if "Version" in name or "Alias" in name]

    assert len(published) == 7
    assert {template["Resources"][name]["Condition"] for name in published} == {"StartsFromSnapshots"}
    assert template["Parameters"]["SnapStart"]["Default"] == "false"


@pytest.mark.parametrize(("runtime", "allowed"), [(WITHOUT_SNAPSHOTS, ["false"]), ("python3.12", ["true", "false"])])
def test_only_a_runtime_that_has_snapshots_can_start_from_them(runtime: str, allowed: list[str]) -> None:
    source: dict[str, Any] = {"Parameters": {}, "Resources": {}} | load(FILES[1])

    assert prepared(source, runtime, "any")["Parameters"]["SnapStart"]["AllowedValues"] == allowed
