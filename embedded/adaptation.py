"""The packaged template, changed where MiniStack reads it otherwise than AWS does."""

import copy
from collections.abc import Mapping
from typing import Any

Template = dict[str, Any]

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
