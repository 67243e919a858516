"""What is changed in a packaged template for MiniStack, and that nothing else is."""

import copy
from typing import Any

from embedded.adaptation import adapted


def packaged(*actions: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {
        "Resources": {
            "Planner": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "./deployment.zip"}},
            "PlannerRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]},
            },
            "RestAPI": {
                "Type": "AWS::Serverless::Api",
                "Properties": {"DefinitionBody": {"x-amazon-apigateway-binary-media-types": ["*/*"]}},
            },
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "replay"}},
        }
    }


def allowed(template: dict[str, Any]) -> list[str]:
    role = template["Resources"]["PlannerRole"]["Properties"]
    actions: list[str] = role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"]
    return actions


def test_functions_take_their_code_from_s3() -> None:
    template = adapted(packaged("s3:GetObject"), "s3://code/1.zip")

    assert template["Resources"]["Planner"]["Properties"]["CodeUri"] == "s3://code/1.zip"


def test_binary_media_types_are_repeated_as_a_property() -> None:
    template = adapted(packaged("s3:GetObject"), "s3://code/1.zip")

    assert template["Resources"]["RestAPI"]["Properties"]["BinaryMediaTypes"] == ["*/*"]


def test_who_may_send_one_message_may_send_ten() -> None:
    assert allowed(adapted(packaged("sqs:SendMessage"), "")) == ["sqs:SendMessage", "sqs:SendMessageBatch"]


def test_no_other_right_is_added() -> None:
    assert allowed(adapted(packaged("s3:GetObject", "dynamodb:Query"), "")) == ["s3:GetObject", "dynamodb:Query"]


def test_the_packaged_template_itself_stays_as_it_is() -> None:
    template = packaged("sqs:SendMessage")
    before = copy.deepcopy(template)

    adapted(template, "s3://code/1.zip")

    assert template == before
