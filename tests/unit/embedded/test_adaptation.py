"""What is changed in a packaged template for MiniStack, and that nothing else is."""

import copy
from typing import Any

import pytest

from embedded.adaptation import adapted

SOURCE = {"BatchSize": 100, "ScalingConfig": {"MaximumConcurrency": {"Ref": "ProcessorConcurrency"}}}


def packaged(*actions: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {
        "Parameters": {"ProcessorConcurrency": {"Type": "Number", "Default": 10}},
        "Resources": {
            "Planner": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "./deployment.zip"}},
            "Processor": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "CodeUri": "./deployment.zip",
                    "Events": {"Source": {"Properties": copy.deepcopy(SOURCE)}},
                },
            },
            "PlannerRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]},
            },
            "ConsumerPolicy": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": {"Statement": [dict(statement)]}},
            },
            "RestAPI": {
                "Type": "AWS::Serverless::Api",
                "Properties": {"DefinitionBody": {"x-amazon-apigateway-binary-media-types": ["*/*"]}},
            },
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "replay"}},
        },
    }


def allowed(template: dict[str, Any]) -> list[str]:
    role = template["Resources"]["PlannerRole"]["Properties"]
    actions: list[str] = role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"]
    return actions


def test_functions_take_their_code_from_s3() -> None:
    template = adapted(packaged("s3:GetObject"), "s3://code/1.zip", {})

    assert template["Resources"]["Planner"]["Properties"]["CodeUri"] == "s3://code/1.zip"


def test_binary_media_types_are_repeated_as_a_property() -> None:
    template = adapted(packaged("s3:GetObject"), "s3://code/1.zip", {})

    assert template["Resources"]["RestAPI"]["Properties"]["BinaryMediaTypes"] == ["*/*"]


def test_who_may_send_one_message_may_send_ten() -> None:
    assert allowed(adapted(packaged("sqs:SendMessage"), "", {})) == ["sqs:SendMessage", "sqs:SendMessageBatch"]


def test_whom_a_policy_of_its_own_lets_delete_one_message_may_delete_ten() -> None:
    policy = adapted(packaged("sqs:DeleteMessage"), "", {})["Resources"]["ConsumerPolicy"]["Properties"]

    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["sqs:DeleteMessage", "sqs:DeleteMessageBatch"]


@pytest.mark.parametrize(("parameters", "number"), [({}, 10), ({"ProcessorConcurrency": "3"}, 3)])
def test_how_many_processors_run_at_once_is_a_number(parameters: dict[str, str], number: int) -> None:
    processor = adapted(packaged("s3:GetObject"), "", parameters)["Resources"]["Processor"]["Properties"]

    assert processor["Events"]["Source"]["Properties"] == SOURCE | {"ScalingConfig": {"MaximumConcurrency": number}}


def test_no_other_right_is_added() -> None:
    assert allowed(adapted(packaged("s3:GetObject", "dynamodb:Query"), "", {})) == ["s3:GetObject", "dynamodb:Query"]


def test_the_packaged_template_itself_stays_as_it_is() -> None:
    template = packaged("sqs:SendMessage")
    before = copy.deepcopy(template)

    adapted(template, "s3://code/1.zip", {})

    assert template == before
