"""Renders infra/permissions.py for IAM: for the packaged template, and with the ARNs of a deployed stage.

The two differ in two things. `chalice deploy` has one function for all routes, so it has the rights of both; and its
functions make their log groups themselves.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from infra.changes import Resource
from infra.permissions import EVERYTHING, RIGHTS, SEND_TO_DESTINATIONS, Right

Policy = dict[str, Any]
Named = Callable[[str], Any]
"""Says a text with names of the template in it, such as ${RawBucket.Arn}."""

ROLES: Final[Mapping[str, str]] = {
    "ingest": "IngestHandlerRole",
    "api": "ApiHandlerRole",
    "planner": "PlannerRole",
    "processor": "ProcessorRole",
    "dead_letters": "DeadLettersRole",
    "digest": "DigestRole",
}
"""The role of each function in the packaged template."""

DEPLOYED_BY_CHALICE: Final[Mapping[str, tuple[str, ...]]] = {
    "api_handler": ("ingest", "api"),
    "planner": ("planner",),
    "processor": ("processor",),
    "dead_letters": ("dead_letters",),
    "digest": ("digest",),
}
"""The functions of app.py as Chalice calls them, and whose rights each has."""

_MAY_BE_EMPTY: Final[Mapping[str, str]] = {"KmsKeyArn": "EncryptsWithOwnKey", "WebhookSecretArn": "TakesWebhooks"}
"""Parameters, and the conditions of the template that they are not empty."""

_ARN: Final = "arn:"
_LOGGING: Final = ("logs:CreateLogStream", "logs:PutLogEvents")

_ARNS: Final[Mapping[str, str]] = {
    "AWS::S3::Bucket": "arn:{partition}:s3:::{name}",
    "AWS::DynamoDB::Table": "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
    "AWS::KMS::Key": "arn:{partition}:kms:{region}:{account}:key/{name}",
    "AWS::SQS::Queue": "arn:{partition}:sqs:{region}:{account}:{name}",
}


def in_template() -> dict[str, Any]:
    """Return the policies of all roles, as a part of the packaged template."""
    return {"Resources": {role: {"Properties": _role(function, role)} for function, role in ROLES.items()}}


def _role(function: str, role: str) -> dict[str, Any]:
    group = role.removesuffix("Role").removesuffix("Handler") + "Logs"
    logging = _allow("WriteLogs", _LOGGING, [{"Fn::GetAtt": [group, "Arn"]}])
    policy = _document([*(statement_of(right) for right in RIGHTS[function]), logging])
    return {"Policies": [{"PolicyName": f"retrace-{function.replace('_', '-')}", "PolicyDocument": policy}]}


def statement_of(right: Right) -> dict[str, Any]:
    """Return a right as a statement of a policy in the template."""
    resources = [_reference(resource) for resource in right.resources]
    statement = _allow(right.sid, right.actions, resources, _conditions(right, lambda text: {"Fn::Sub": text}))
    for parameter in _MAY_BE_EMPTY.keys() & set(right.resources):
        return {"Fn::If": [_MAY_BE_EMPTY[parameter], statement, {"Ref": "AWS::NoValue"}]}
    return statement


def _reference(resource: str) -> Any:
    name, slash, rest = resource.partition("/")
    if resource == EVERYTHING or resource.startswith(_ARN):
        return resource
    if name in _MAY_BE_EMPTY:
        return {"Ref": name}
    return {"Fn::Sub": f"${{{name}.Arn}}/{rest}"} if slash else {"Fn::GetAtt": [name, "Arn"]}


def of_stage(
    stage: str, stack_id: str, resources: Iterable[Resource], parameters: Mapping[str, str], sending: Sequence[Right]
) -> dict[str, Policy]:
    """Return the policy of each function that `chalice deploy` makes, for a stage whose resources are deployed.

    `sending` is what its planners may do with its destinations.
    """
    _, partition, _, region, account, _ = stack_id.split(":", 5)
    place = {"partition": partition, "region": region, "account": account}
    arns = {
        each.logical_id: _ARNS[each.type].format(**place, name=each.physical_id.rpartition("/")[2])
        for each in resources
        if each.type in _ARNS
    }
    known = {EVERYTHING: EVERYTHING} | {name: parameters.get(name, "") for name in _MAY_BE_EMPTY} | arns
    known |= {resource: resource for right in sending for resource in right.resources if resource.startswith(_ARN)}
    own = {
        "${AWS::Region}": region,
        "${AWS::URLSuffix}": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
    }
    return {
        function: _exact(
            [right for each in given for right in _given(_sending_to(sending, RIGHTS[each]), known)],
            known,
            own,
            f"arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/retrace-{stage}{_suffix(function)}:*",
        )
        for function, given in DEPLOYED_BY_CHALICE.items()
    }


def _sending_to(sending: Iterable[Right], rights: Iterable[Right]) -> Iterator[Right]:
    for right in rights:
        yield from sending if right == SEND_TO_DESTINATIONS else (right,)


def _split(resource: str) -> tuple[str, str]:
    """Return a name and what follows in its ARN; an ARN is whole."""
    name, slash, rest = resource.partition("/")
    return (resource, "") if resource.startswith(_ARN) else (name, slash + rest)


def _suffix(function: str) -> str:
    """Return what Chalice appends to the name of a function, and Lambda to that of its log group."""
    return "" if function == "api_handler" else f"-{function}"


def _given(rights: Iterable[Right], known: Mapping[str, str]) -> list[Right]:
    """Return the rights on what there is. A function that lacks a resource does nothing, so it may do nothing."""
    needed = {right: {_split(resource)[0] for resource in right.resources} for right in rights}
    whole = all(names <= known.keys() for names in needed.values())
    return [right for right, names in needed.items() if names == {EVERYTHING} or (whole and all(map(known.get, names)))]


def _exact(rights: Iterable[Right], known: Mapping[str, str], own: Mapping[str, str], log_group: str) -> Policy:
    def said(text: str) -> str:
        for name, value in own.items():
            text = text.replace(name, value)
        return text

    def arn(resource: str) -> str:
        name, rest = _split(resource)
        return known[name] + rest

    statements = [
        _allow(right.sid, right.actions, list(map(arn, right.resources)), _conditions(right, said))
        for right in dict.fromkeys(rights)
    ]
    return _document([*statements, _allow("WriteLogs", ("logs:CreateLogGroup", *_LOGGING), [log_group])])


def _conditions(right: Right, said: Named) -> dict[str, Any]:
    services = [said(f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}") for service in right.by_way_of]
    transaction = ["TransactWriteItems"] if right.together else []
    return {
        operator: {key: value}
        for operator, key, value in (
            ("StringLike", "s3:prefix", right.listing),
            ("ForAllValues:StringLike", "dynamodb:LeadingKeys", list(right.keys)),
            ("ForAnyValue:StringEquals", "dynamodb:EnclosingOperation", transaction),
            ("StringEquals", "kms:ViaService", services),
        )
        if value
    }


def _allow(
    sid: str, actions: Iterable[str], resources: list[Any], conditions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
    return statement | ({"Condition": dict(conditions)} if conditions else {})


def _document(statements: list[dict[str, Any]]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}
