"""Adapts a deployment to MiniStack's CloudFormation: first the template, where MiniStack reads it differently from AWS.

Afterwards it applies what MiniStack ignored, so that the stack is what infra/ declares.
"""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from embedded.admin import Admin
from infra.merge import Template

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectLockConfigurationTypeDef

Mode = Literal["COMPLIANCE", "GOVERNANCE"]

TTL_ATTRIBUTE = "expires_at"
EXPIRING = ("DedupeTable", "ReplaysTable")
TABLES = ("EventsTable", "DedupeTable", "ReplaysTable", "AggregatesTable")

BATCH_FORMS = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
"""On AWS the permission for one message is the permission for ten; MiniStack asks for one of its own."""


def adapted(template: Template, code_uri: str, parameters: Mapping[str, str]) -> Template:
    """Return the template with its code in S3 and MiniStack's peculiarities served; the argument stays as it is.

    MiniStack gives a processor at most ten messages at once, whatever the batch size, and does not wait for them.
    """
    changed = copy.deepcopy(template)
    for resource in changed["Resources"].values():
        match resource["Type"]:
            case "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = code_uri
                _resolve_concurrency(resource["Properties"], template.get("Parameters", {}), parameters)
            case "AWS::Serverless::Api":
                _repeat_binary_types(resource["Properties"])
            case "AWS::CloudWatch::Alarm":
                _watch_one_metric(resource["Properties"])
            case "AWS::KMS::Key":
                _ask_no_conditions(resource["Properties"]["KeyPolicy"])
            case "AWS::IAM::ManagedPolicy":
                allow_batch_forms(resource["Properties"]["PolicyDocument"])
            case "AWS::IAM::Role":
                for policy in resource["Properties"].get("Policies", []):
                    allow_batch_forms(policy["PolicyDocument"])
    return changed


def _resolve_concurrency(function: dict[str, Any], declared: dict[str, Any], parameters: Mapping[str, str]) -> None:
    """AWS makes a number of such a parameter; MiniStack compares its text with a number, fails, and polls no queue."""
    for source in function.get("Events", {}).values():
        match source["Properties"].get("ScalingConfig"):
            case {"MaximumConcurrency": {"Ref": str(name)}} as scaling:
                scaling["MaximumConcurrency"] = int(parameters.get(name, declared[name]["Default"]))


def _repeat_binary_types(api: dict[str, Any]) -> None:
    """AWS reads them from the API's definition; MiniStack from the property only, in a form that AWS would refuse."""
    api["BinaryMediaTypes"] = api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"]


def _watch_one_metric(alarm: dict[str, Any]) -> None:
    """MiniStack refuses alarms over several metrics; it gets the first of them."""
    metrics = alarm.pop("Metrics", [])
    first = next((metric["MetricStat"] for metric in metrics if "MetricStat" in metric), None)
    if first is not None:
        alarm |= {**first["Metric"], "Period": first["Period"], "Statistic": first["Stat"]}


def _ask_no_conditions(key_policy: dict[str, Any]) -> None:
    """MiniStack knows no condition key of KMS and treats a condition on one as not met, so all signing would fail."""
    for statement in key_policy["Statement"]:
        statement.pop("Condition", None)


def allow_batch_forms(policy: dict[str, Any]) -> None:
    """Add to a policy, where it allows something for one message, the same for ten."""
    for listed in policy["Statement"]:
        statement = listed["Fn::If"][1] if "Fn::If" in listed else listed  # the other branch is no statement
        given = statement["Action"]
        actions = [given] if isinstance(given, str) else given
        statement["Action"] = [*actions, *(BATCH_FORMS[action] for action in actions if action in BATCH_FORMS)]


def close_gaps(admin: Admin, outputs: dict[str, str]) -> None:
    """Apply Object Lock to the raw bucket, time to live to the tables with rows that expire, and recovery to all.

    What else it passes over changes nothing there: lifecycle rules, encryption, the stage's access logs.
    """
    _lock(admin, outputs["RawBucket"], _parameters(admin, outputs))
    for name in EXPIRING:
        _let_expire(admin, outputs[name])
    for name in TABLES:
        admin.dynamodb.update_continuous_backups(
            TableName=outputs[name], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def _parameters(admin: Admin, outputs: dict[str, str]) -> dict[str, str]:
    """The parameters of the stack, which is called as its service is."""
    [stack] = admin.cloudformation.describe_stacks(StackName=outputs["PowertoolsServiceName"])["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}


def _lock(admin: Admin, bucket: str, parameters: dict[str, str]) -> None:
    lock: ObjectLockConfigurationTypeDef = {"ObjectLockEnabled": "Enabled"}
    if days := int(parameters["RawRetentionDays"]):
        mode: Mode = "COMPLIANCE" if parameters["RawRetentionMode"] == "COMPLIANCE" else "GOVERNANCE"
        lock["Rule"] = {"DefaultRetention": {"Mode": mode, "Days": days}}
    admin.s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)


def _let_expire(admin: Admin, table: str) -> None:
    described = admin.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if described["TimeToLiveStatus"] == "DISABLED":  # enabling it twice is an error
        admin.dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        )
