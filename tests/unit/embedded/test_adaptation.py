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


def test_a_right_that_depends_on_a_parameter_is_one_for_ten_as_well() -> None:
    template = packaged("sqs:SendMessage")
    document = template["Resources"]["ConsumerPolicy"]["Properties"]["PolicyDocument"]
    document["Statement"] = [{"Fn::If": ["Condition", *document["Statement"], {"Ref": "AWS::NoValue"}]}]

    policy = adapted(template, "", {})["Resources"]["ConsumerPolicy"]["Properties"]["PolicyDocument"]

    assert policy["Statement"][0]["Fn::If"][1]["Action"] == ["sqs:SendMessage", "sqs:SendMessageBatch"]


@pytest.mark.parametrize(("parameters", "number"), [({}, 10), ({"ProcessorConcurrency": "3"}, 3)])
def test_how_many_processors_run_at_once_is_a_number(parameters: dict[str, str], number: int) -> None:
    processor = adapted(packaged("s3:GetObject"), "", parameters)["Resources"]["Processor"]["Properties"]

    assert processor["Events"]["Source"]["Properties"] == SOURCE | {"ScalingConfig": {"MaximumConcurrency": number}}


def test_the_policy_of_a_key_asks_no_conditions_of_kms() -> None:
    template = packaged("s3:GetObject")
    signing = {"Sid": "Sign", "Effect": "Allow", "Action": "kms:Sign", "Resource": "*"}
    asked = signing | {"Condition": {"StringEquals": {"kms:MessageType": "DIGEST"}}}
    key = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [asked]}}}
    template["Resources"]["DigestKey"] = key

    adapted_key = adapted(template, "", {})["Resources"]["DigestKey"]

    assert adapted_key["Properties"]["KeyPolicy"]["Statement"] == [signing]


def test_an_alarm_over_several_metrics_watches_the_first_of_them() -> None:
    template = packaged("s3:GetObject")
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": []}
    metrics = [
        {"Id": "all", "Expression": "SUM(METRICS())"},
        {"Id": "planner", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}},
    ]
    alarms = {"Many": {"Threshold": 0, "Metrics": metrics}, "One": {"Threshold": 0, **metric}}
    template["Resources"] |= {
        name: {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm} for name, alarm in alarms.items()
    }

    resources = adapted(template, "", {})["Resources"]

    assert resources["Many"]["Properties"] == {"Threshold": 0, **metric, "Period": 300, "Statistic": "Sum"}
    assert resources["One"]["Properties"] == alarms["One"]


def test_a_role_may_have_policies_of_others_only() -> None:
    template = packaged("s3:GetObject")
    template["Resources"]["LogRole"] = {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": ["arn:other"]}}

    assert adapted(template, "", {})["Resources"]["LogRole"] == template["Resources"]["LogRole"]


def test_no_other_right_is_added() -> None:
    assert allowed(adapted(packaged("s3:GetObject", "dynamodb:Query"), "", {})) == ["s3:GetObject", "dynamodb:Query"]


def test_the_packaged_template_itself_stays_as_it_is() -> None:
    template = packaged("sqs:SendMessage")
    before = copy.deepcopy(template)

    adapted(template, "s3://code/1.zip", {})

    assert template == before
