"""What the destinations of a stage add to its template: queues, alarms, and the right of planners to send to them."""

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from chalicelib.replays.destinations import TO_AGGREGATES, DestinationKind, destinations_in
from infra.destination_file import Declarations, Declared
from infra.merge import HERE, Template, load_text
from infra.permissions import PUT_ON_BUSES, SEND_TO_DESTINATIONS, TAKE_BACK_FROM_CONSUMERS, Right
from infra.roles import statement_of

PARTS: Final = HERE / "destination.yaml"

_CHARTED: Final = ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")


def with_destinations(template: Template, declared: Declarations) -> Template:
    """Return the template of a stage, or that of its storage and queues alone, with these destinations."""
    changed = copy.deepcopy(template)
    resources, outputs = changed["Resources"], changed["Outputs"]
    for each in declared:
        resources |= _part("queues", each.kind, each) if each.is_own else {}
        if each.name != TO_AGGREGATES:
            resources |= _policy_of_consumer(each, reports=each.reports and "RestAPI" in resources)
            outputs[f"{each.logical}ConsumerPolicyArn"] = {"Value": {"Ref": f"ConsumerPolicyOf{each.logical}"}}
    outputs["Destinations"] = {"Value": {"Fn::Sub": setting(declared)}}
    if "Planner" not in resources:
        return changed
    _tell_functions(changed, declared)
    _allow_planners(resources["PlannerRole"], declared)
    _watch(resources, declared)
    return changed


def _policy_of_consumer(each: Declared, *, reports: bool) -> dict[str, Any]:
    """Return the policy that its consumer needs, with the right to report if it does and the template has the API."""
    policy = _part("consumer", "queue" if each.is_queue else "bus", each)
    if reports:
        document = policy[f"ConsumerPolicyOf{each.logical}"]["Properties"]["PolicyDocument"]
        document["Statement"] = [*document["Statement"], *load_text(PARTS.read_text(), PARTS)["reports"]]
    return policy


def setting(declared: Iterable[Declared]) -> str:
    """Return DESTINATIONS as functions read it, with names of the template for its own queues."""
    told = {each.name: {"arn": _arn(each)} | each.options for each in declared}
    return json.dumps(told, separators=(",", ":"))


def sending(declared: Iterable[Declared]) -> tuple[Right, ...]:
    """Return the rights of planners on destinations, and on the dead letters of those that the stage makes."""
    known = tuple(declared)
    return _rights(
        [each.resource for each in known if each.is_queue],
        [each.resource for each in known if not each.is_queue],
        [f"DeadLettersOf{each.logical}" for each in known if each.is_own and each.is_queue],
    )


def sending_in(told: str) -> tuple[Right, ...]:
    """Return the same of a stage that is deployed and has this DESTINATIONS."""
    destinations = destinations_in(told)
    buses = [each.arn for each in destinations.declared if each.kind is DestinationKind.EVENTBRIDGE]
    dead_letters = map(destinations.dead_letters_of, destinations.declared)
    return _rights(
        [each.arn for each in destinations.declared if each.arn not in buses],
        buses,
        [each for each in dead_letters if each],
    )


def _rights(queues: Sequence[str], buses: Sequence[str], dead_letters: Sequence[str]) -> tuple[Right, ...]:
    of_each = ((SEND_TO_DESTINATIONS, queues), (PUT_ON_BUSES, buses), (TAKE_BACK_FROM_CONSUMERS, dead_letters))
    return tuple(replace(right, resources=tuple(names)) for right, names in of_each if names)


def policies_to_attach(declared: Iterable[Declared], account: str, role_arn: str) -> Iterator[tuple[str, str]]:
    """Yield each queue or bus of another account, by its ARN, with the policy that lets planners send to it.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-basic-examples-of-sqs-policies.html
    """
    for each in declared:
        if each.arn is not None and each.arn.split(":")[4] != account:
            [right] = sending([each])
            allow = {
                "Sid": "RetraceSends",
                "Effect": "Allow",
                "Principal": {"AWS": role_arn},
                "Action": right.actions[0],
                "Resource": each.arn,
            }
            yield each.arn, json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def _arn(each: Declared) -> str:
    return each.arn or f"${{{each.resource}.Arn}}"


def _part(section: str, kind: str, each: Declared) -> dict[str, Any]:
    """Return what one destination adds, with its names in place of those in the file."""
    names = {"LOGICAL": each.logical, "NAME": each.name, "ARN": each.arn or f"!GetAtt {each.resource}.Arn"}
    # At once, as a name may itself read like one of them: a-r-n is ARN in the template.
    text = re.sub("|".join(names), lambda found: names[found[0]], PARTS.read_text())
    part: dict[str, Any] = load_text(text, PARTS)[section][kind]
    return part


def _tell_functions(template: Template, declared: Declarations) -> None:
    enabled = any(each.name == TO_AGGREGATES for each in declared)
    template["Conditions"]["EnablesProcessor"] = {"Fn::Equals": ["declared", "declared" if enabled else "absent"]}
    told = setting(declared)
    release = hashlib.sha256(told.encode()).hexdigest()[:8]
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        variables = properties.get("Environment", {}).get("Variables", {})
        if "DESTINATIONS" in variables:
            variables["DESTINATIONS"] = {"Fn::Sub": told}
        match properties.get("Description"):  # that of what has versions, which are published when it changes
            case {"Fn::Sub": str(text)}:
                properties["Description"] = {"Fn::Sub": f"{text} {release}"}


def _allow_planners(role: dict[str, Any], declared: Declarations) -> None:
    document = role["Properties"]["Policies"][0]["PolicyDocument"]
    others = [each for each in document["Statement"] if each.get("Sid") != SEND_TO_DESTINATIONS.sid]
    document["Statement"] = [*others, *map(statement_of, sending(declared))]


def _watch(resources: dict[str, Any], declared: Declarations) -> None:
    """Add alarms and lines of the dashboard for the queues that the stage makes, and let auditors look at them."""
    watched = [each for each in declared if each.is_own and each.is_queue]
    for each in watched:
        resources |= _alarms(resources, each)
    body: list[Any] = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    body[0] = _with_lines(body[0], watched)
    names = [f"{queue}{each.logical}" for each in watched for queue in ("To", "DeadLettersOf")]
    for statement in resources["AuditorPolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        if statement.get("Sid") == "SeeHowMuchWaits":
            statement["Resource"] += [{"Fn::GetAtt": [name, "Arn"]} for name in names]


def _alarms(resources: Mapping[str, Any], each: Declared) -> dict[str, Any]:
    dead, oldest = copy.deepcopy(resources["DeadLettersAlarm"]), copy.deepcopy(resources["OldestMessageAlarm"])
    for alarm, queue, name, said in (
        (dead, f"DeadLettersOf{each.logical}", "dead-letters-of", "Consumers gave up on messages to"),
        (oldest, f"To{each.logical}", "oldest-message-to", "A message has waited for an hour to get to"),
    ):
        alarm["Properties"] |= {
            "AlarmName": {"Fn::Sub": f"retrace-${{Stage}}-{name}-{each.name}"},
            "AlarmDescription": f"{said} {each.name}. docs/runbook.md#destinations",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}],
        }
    return {f"DeadLettersAlarmOf{each.logical}": dead, f"OldestMessageAlarmOf{each.logical}": oldest}


def _with_lines(body: str, own: Sequence[Declared]) -> str:
    """Return the dashboard with alarms and queues of destinations, each below those of the dead letters."""
    alarm = '"${DeadLettersAlarm.Arn}",'
    alarms = [f'"${{{name}AlarmOf{each.logical}.Arn}}",' for each in own for name in ("DeadLetters", "OldestMessage")]
    body = body.replace(alarm, "\n".join([alarm, *alarms]))
    for metric in _CHARTED:
        line = f'["AWS/SQS", "{metric}", "QueueName", "${{DeadLetterQueue.QueueName}}", {{"label": "dead letters"}}],'
        lines = [
            f'["AWS/SQS", "{metric}", "QueueName", "${{{queue}{each.logical}.QueueName}}", {{"label": "{label}"}}],'
            for each in own
            for queue, label in (("To", f"to {each.name}"), ("DeadLettersOf", f"dead letters of {each.name}"))
        ]
        body = body.replace(line, "\n".join([line, *lines]))
    return body
