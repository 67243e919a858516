"""What the packaged template allows, as CloudFormation gets it: exact actions, exact resources, signed calls only."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from embedded.bundle import packaged
from embedded.layout import EMULATOR_PYTHON
from infra.command import silent
from infra.package import with_code

Json = dict[str, Any]

METHODS = {"delete", "get", "patch", "post", "put"}
API = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${RestAPI}/api/"

STACK = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${AWS::StackName}/*"

WIDER = {
    "${RawBucket.Arn}/raw/*": "the keys of raw objects say what is in them",
    "${RawBucket.Arn}/rejected/*": "likewise those of refused events",
    "${RawBucket.Arn}/superseded/*": "likewise those of markers",
    "${RawBucket.Arn}/metrics/*": "likewise those of changes of metrics",
    "${RawBucket.Arn}/events-files/*": "likewise those of files of events",
    "${RawBucket.Arn}/digests/*": "likewise those of digests",
    f"{API}GET/*": "every route that is a GET only reads, and whoever may read may read all",
    f"{API}POST/replay/*/cancel": "the id of a replay is part of the path",
    f"{API}POST/replay/*/redrive": "likewise",
    f"{API}POST/rejected/*/retry": "likewise that of a refused event",
    f"{API}PUT/events-files/*": "likewise the hash of a file",
    f"{API}PUT/metrics/*": "likewise the name of a metric",
    f"{API}DELETE/metrics/*": "likewise",
    STACK: "the id of this very stack, which nobody knows who asks for it by name",
}
"""Resources that are more than one thing, each with the reason."""

WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "cloudwatch:GetMetricData"}
"""Actions that can only be allowed on everything: X-Ray and CloudWatch's reads have no resources to name."""

MANAGED_BY_AWS = {"AmazonAPIGatewayPushToCloudWatchLogs": "API Gateway takes no role for its logs that may do less"}


# SAM runs in the emulator's environment, as it asks for libraries of other versions than the project has.
_TRANSFORM = """
import json, sys
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
template = json.load(sys.stdin)
values = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}
print(json.dumps(Translator({}, Parser()).translate(template, values)))
"""


@pytest.fixture(scope="module")
def transformed(template: Json) -> Json:
    """What SAM makes of the template, and CloudFormation deploys."""
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [EMULATOR_PYTHON, "-c", _TRANSFORM],
        input=json.dumps(with_code(template, "s3://bucket/key", {})),
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    made: Json = json.loads(finished.stdout)
    return made


def test_the_api_has_one_stage_with_limits_logs_and_traces(transformed: Json) -> None:
    [stage] = of_type(transformed, "AWS::ApiGateway::Stage").values()
    deployments = of_type(transformed, "AWS::ApiGateway::Deployment").values()

    assert stage["Properties"]["StageName"] == "api"
    assert {"AccessLogSetting", "MethodSettings", "TracingEnabled"} <= stage["Properties"].keys()
    assert not [each for each in deployments if "StageName" in each["Properties"]], "a deployment may make a stage, too"


@pytest.fixture(scope="module")
def template() -> Json:
    read: Json = json.loads((packaged(silent) / "sam.json").read_text())
    return read


def of_type(template: Json, *types: str) -> dict[str, Json]:
    """The resources of some types."""
    return {name: each for name, each in template["Resources"].items() if each["Type"] in types}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowing(template: Json) -> Iterator[tuple[str, Json]]:
    """Every statement that gives a right to whoever has the policy, with where it stands."""
    for name, resource in of_type(template, "AWS::IAM::Role", "AWS::IAM::ManagedPolicy").items():
        properties = resource["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in [*documents, *listed(properties.get("PolicyDocument", []))]:
            for each in document["Statement"]:
                statement = each["Fn::If"][1] if "Fn::If" in each else each
                assert statement["Effect"] == "Allow"
                yield f"{name}: {statement['Sid']}", statement


def test_every_action_is_named_in_full(template: Json) -> None:
    wide = [(place, action) for place, each in allowing(template) for action in listed(each["Action"]) if "*" in action]

    assert not wide
    assert not [place for place, each in allowing(template) if {"NotAction", "NotResource"} & each.keys()]


def test_every_resource_is_named_but_for_those_with_a_reason(template: Json) -> None:
    for place, statement in allowing(template):
        for resource in listed(statement["Resource"]):
            match resource:
                case {"Fn::GetAtt": [str(), "Arn"]} | {"Ref": "KmsKeyArn" | "WebhookSecretArn"}:
                    pass
                case {"Fn::If": [str(), {"Fn::GetAtt": [str(), "Arn"]}, {"Ref": "AWS::NoValue"}]}:
                    pass
                case {"Fn::Sub": str(text)}:
                    assert "*" not in text or text in WIDER, place
                case _:
                    assert resource == "*", place
                    assert set(listed(statement["Action"])) <= WITHOUT_RESOURCES, place


def test_only_policies_that_may_query_see_metrics_and_only_of_this_region(template: Json) -> None:
    seeing = {
        place: each
        for place, each in allowing(template)
        if any(action.startswith("cloudwatch:") for action in listed(each["Action"]))
    }

    assert seeing.keys() == {f"{who}Policy: SeeHowMuchCameIn" for who in ("Investigator", "Auditor")}
    for statement in seeing.values():
        assert statement["Action"] == "cloudwatch:GetMetricData"
        assert statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}


def test_every_reason_is_needed(template: Json) -> None:
    used = {
        resource["Fn::Sub"]
        for _, statement in allowing(template)
        for resource in listed(statement["Resource"])
        if isinstance(resource, dict) and "Fn::Sub" in resource
    }

    assert WIDER.keys() <= used


def test_each_function_has_a_role_of_its_own_that_only_lambda_takes(template: Json) -> None:
    roles = [
        function["Properties"]["Role"]["Fn::GetAtt"][0]
        for function in of_type(template, "AWS::Serverless::Function").values()
    ]

    assert len(roles) == len(set(roles)) == 6
    for role in roles:
        [trust] = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_only_one_function_signs(template: Json) -> None:
    places = {place for place, each in allowing(template) if "kms:Sign" in listed(each["Action"])}
    writing = {
        place
        for place, each in allowing(template)
        if "s3:PutObject" in listed(each["Action"])
        and {"Fn::Sub": "${RawBucket.Arn}/digests/*"} in listed(each["Resource"])
    }

    assert places == {"DigestRole: Sign"}
    assert writing == {"DigestRole: KeepDigests"}


def test_policies_that_are_not_ours_are_those_with_a_reason(template: Json) -> None:
    arns = [
        str(arn)
        for resource in of_type(template, "AWS::IAM::Role").values()
        for arn in resource["Properties"].get("ManagedPolicyArns", [])
    ]

    assert len(arns) == len(MANAGED_BY_AWS)
    assert all(any(name in arn for name in MANAGED_BY_AWS) for arn in arns)


def methods(template: Json) -> Iterator[tuple[str, Json]]:
    """Every method of every route of the API."""
    for path, operations in template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def test_every_route_takes_signed_requests_only(template: Json) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]

    assert definition["securityDefinitions"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    takes_webhooks = {"Fn::If": ["TakesWebhooks", [], [{"sigv4": []}]]}
    for route, operation in methods(template):
        assert operation["security"] == (takes_webhooks if route == "POST /ingest" else [{"sigv4": []}]), route


def test_what_takes_events_in_has_a_function_of_its_own(template: Json) -> None:
    answered_by = {
        route: "IngestHandler" if "'Fn::GetAtt': ['IngestHandler', 'Arn']" in str(operation) else "APIHandler"
        for route, operation in methods(template)
    }

    assert {route for route, function in answered_by.items() if function == "IngestHandler"} == {
        "POST /ingest",
        "POST /rejected/{rejected_id}/retry",
    }


def test_that_function_runs_as_the_other_does(template: Json) -> None:
    ingest, api = (template["Resources"][name]["Properties"] for name in ("IngestHandler", "APIHandler"))
    different = {"Role", "LoggingConfig", "Environment", "Tags", "ReservedConcurrentExecutions"}

    assert {name: value for name, value in ingest.items() if name not in different} == {
        name: value for name, value in api.items() if name not in different
    }
    settings = api["Environment"]["Variables"]
    assert all(settings[name] == value for name, value in ingest["Environment"]["Variables"].items())


def callable_routes(template: Json, called: str) -> list[str]:
    """The routes on which API Gateway may call a function, or its alias."""
    sources = [
        permission["Properties"]["SourceArn"]["Fn::Sub"]
        for permission in of_type(template, "AWS::Lambda::Permission").values()
        if permission["Properties"]["FunctionName"] == {"Ref": called}
    ]
    texts = [source if isinstance(source, str) else source[0] for source in sources]
    return sorted(re.split(r"\$\{RestAPI(?:Id)?}/", text)[1] for text in texts)


def test_api_gateway_calls_it_on_those_routes_only(template: Json) -> None:
    assert callable_routes(template, "IngestHandler") == ["api/POST/ingest", "api/POST/rejected/*/retry"]


@pytest.mark.parametrize(("function", "alias"), [("IngestHandler", "IngestAlias"), ("APIHandler", "ApiAlias")])
def test_api_gateway_may_call_the_alias_of_a_function_on_its_routes(template: Json, function: str, alias: str) -> None:
    assert callable_routes(template, alias) == callable_routes(template, function) != []


def test_functions_and_api_are_traced(template: Json) -> None:
    functions = of_type(template, "AWS::Serverless::Function").values()

    assert {function["Properties"]["Tracing"] for function in functions} == {"Active"}
    assert template["Resources"]["RestAPI"]["Properties"]["TracingEnabled"] is True


def test_every_log_is_kept_for_as_long_as_a_parameter_says(template: Json) -> None:
    groups = of_type(template, "AWS::Logs::LogGroup")
    written = {
        function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        for function in of_type(template, "AWS::Serverless::Function").values()
    }

    assert groups.keys() == written | {"AccessLogs"}
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_api_is_throttled_and_logs_who_called_but_never_what_was_sent(template: Json) -> None:
    api = template["Resources"]["RestAPI"]["Properties"]
    [settings] = api["MethodSettings"]
    logged = json.loads(api["AccessLogSetting"]["Format"])

    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ThrottleBurst"}
    assert api["AccessLogSetting"]["DestinationArn"] == {"Fn::GetAtt": ["AccessLogs", "Arn"]}
    assert {logged["caller"], logged["route"], logged["status"]} == {
        "$context.identity.userArn",
        "$context.resourcePath",
        "$context.status",
    }
    assert all(variable.startswith("$context.") for variable in logged.values())
    assert "$context.path" not in logged.values()
