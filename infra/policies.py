"""The policies of the functions that `chalice deploy` makes: those of the roles in functions.yaml, with exact ARNs.

There is no other source of policies. Two things differ from the packaged deployment: all routes share one function, so
it has the rights of both; and functions make their log groups themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from infra.history import Resource
from infra.intrinsics import Known
from infra.merge import FUNCTIONS, RESOURCES, load

Policy = dict[str, Any]
Template = Mapping[str, Any]

ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "api_handler": ("IngestHandlerRole", "ApiHandlerRole"),
    "planner": ("PlannerRole",),
    "processor": ("ProcessorRole",),
    "dead_letters": ("DeadLettersRole",),
    "digest": ("DigestRole",),
}
"""The roles whose rights each function of app.py has."""

_LOGS: Final[Mapping[str, str]] = {
    "IngestLogs": "",
    "ApiLogs": "",
    "PlannerLogs": "-planner",
    "ProcessorLogs": "-processor",
    "DeadLettersLogs": "-dead_letters",
    "DigestLogs": "-digest",
}
"""What Chalice appends to the names of functions, and Lambda to those of their log groups."""


def function_policies(
    stage: str, stack_id: str, resources: Iterable[Resource], parameters: Mapping[str, str]
) -> dict[str, Policy]:
    """Return the policy of each function, for a stage whose resources are deployed."""
    functions = load(FUNCTIONS)
    known = _known(functions, stage, stack_id, list(resources), parameters)
    return {function: _policy(functions["Resources"], roles, known) for function, roles in ROLES.items()}


def _policy(declared: Template, roles: Iterable[str], known: Known) -> Policy:
    """Return the statements of some roles as one policy; where two have the same one it stands there once."""
    statements: list[dict[str, Any]] = []
    for role in roles:
        for statement in _statements(declared, role, known):
            if statement not in statements:
                statements.append(statement)
    for statement in statements:
        if statement["Sid"] == "WriteLogs":
            statement["Action"] = ["logs:CreateLogGroup", *statement["Action"]]
    return {"Version": "2012-10-17", "Statement": _with_sids_of_their_own(statements)}


def _statements(declared: Template, role: str, known: Known) -> Iterator[dict[str, Any]]:
    """Yield what a role may do by itself, and by managed policies that name it."""
    documents = [policy["PolicyDocument"] for policy in declared[role]["Properties"]["Policies"]]
    documents += [
        resource["Properties"]["PolicyDocument"]
        for resource in declared.values()
        if resource.get("Type") == "AWS::IAM::ManagedPolicy"
        and {"Ref": role} in _flat(resource["Properties"].get("Roles", []))
        and ("Condition" not in resource or known.holds(resource["Condition"]))
    ]
    there = "Condition" not in declared[role] or known.holds(declared[role]["Condition"])
    for document in documents:
        given = document["Statement"] if there else [each for each in document["Statement"] if _of_any(each)]
        yield from known.resolved(given)


def _of_any(statement: Mapping[str, Any]) -> bool:
    """Whether any function has a right, also one whose resources are not there: Chalice makes it all the same."""
    return statement.get("Sid") in {"WriteLogs", "Trace"}


def _flat(node: Any) -> list[Any]:
    """Return a list with the branches of each Fn::If in it."""
    return [each for item in node for each in (item["Fn::If"][1:] if "Fn::If" in item else [item])]


def _with_sids_of_their_own(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A policy may not hold a Sid twice."""
    seen: dict[str, int] = {}
    named = []
    for statement in statements:
        number = seen[statement["Sid"]] = seen.get(statement["Sid"], 0) + 1
        named.append({**statement, "Sid": statement["Sid"] + (str(number) if number > 1 else "")})
    return named


def _known(
    functions: Template, stage: str, stack_id: str, resources: list[Resource], parameters: Mapping[str, str]
) -> Known:
    storage = load(RESOURCES)
    _, partition, _, region, account, _ = stack_id.split(":", 5)
    place = f"{region}:{account}"
    logs = {
        name: f"arn:{partition}:logs:{place}:log-group:/aws/lambda/retrace-{stage}{suffix}:*"
        for name, suffix in _LOGS.items()
    }
    declared = storage["Parameters"] | functions["Parameters"]
    pseudo = {
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        "AWS::StackId": stack_id,
    }
    return Known(
        references={
            **pseudo,
            **{name: str(parameter.get("Default", "")) for name, parameter in declared.items()},
            **parameters,
            **{resource.logical_id: resource.physical_id for resource in resources},
        },
        arns=logs | dict(_arns(resources, partition, place)),
        conditions=storage["Conditions"] | functions["Conditions"],
    )


def _arns(resources: Iterable[Resource], partition: str, place: str) -> Iterator[tuple[str, str]]:
    for resource in resources:
        name = resource.physical_id
        match resource.type:
            case "AWS::S3::Bucket":
                yield resource.logical_id, f"arn:{partition}:s3:::{name}"
            case "AWS::DynamoDB::Table":
                yield resource.logical_id, f"arn:{partition}:dynamodb:{place}:table/{name}"
            case "AWS::KMS::Key":
                yield resource.logical_id, f"arn:{partition}:kms:{place}:key/{name}"
            case "AWS::SQS::Queue":  # it is known by its URL
                yield resource.logical_id, f"arn:{partition}:sqs:{place}:{name.rpartition('/')[2]}"
