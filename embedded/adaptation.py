"""The packaged template, changed where MiniStack reads it otherwise than AWS does."""

import copy
from typing import Any

Template = dict[str, Any]

BATCH_FORMS = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
"""On AWS the permission for one message is the permission for ten; MiniStack asks for one of its own."""


def adapted(template: Template, code_uri: str) -> Template:
    """Return the template with its code in S3 and MiniStack's peculiarities served; the argument stays as it is."""
    changed = copy.deepcopy(template)
    for resource in changed["Resources"].values():
        match resource["Type"]:
            case "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = code_uri
            case "AWS::Serverless::Api":
                _repeat_binary_types(resource["Properties"])
            case "AWS::IAM::Role":
                for policy in resource["Properties"]["Policies"]:
                    allow_batch_forms(policy["PolicyDocument"])
    return changed


def _repeat_binary_types(api: dict[str, Any]) -> None:
    """AWS reads them from the API's definition; MiniStack from the property only, in a form that AWS would refuse."""
    api["BinaryMediaTypes"] = api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"]


def allow_batch_forms(policy: dict[str, Any]) -> None:
    """Add to a policy, where it allows something for one message, the same for ten."""
    for statement in policy["Statement"]:
        given = statement["Action"]
        actions = [given] if isinstance(given, str) else given
        statement["Action"] = [*actions, *(BATCH_FORMS[action] for action in actions if action in BATCH_FORMS)]
