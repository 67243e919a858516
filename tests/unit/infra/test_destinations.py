"""What the destinations of a stage add to its template, and that planners may send to them and to nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.replays.destinations import MAX_NAME, destinations_in
from infra.changes import Resource
from infra.deploy import role_of_planners
from infra.destination_file import DEFAULT, MAX_BYTES, MAX_DESTINATIONS, Declared
from infra.destinations import policies_to_attach, setting, with_destinations
from infra.merge import RESOURCES, load, merged
from tests.unit.infra.test_template_merge import references

EXISTING = "arn:aws:sqs:eu-west-1:222222222222:theirs"
BUS = "arn:aws:events:eu-west-1:222222222222:event-bus/theirs"
DECLARED = (
    *DEFAULT,
    Declared("billing", rate=2.5),
    Declared("eu-ledger", "fifo"),
    Declared("theirs", "queue", EXISTING),
    Declared("news", "eventbridge"),
    Declared("their-news", "eventbridge", BUS),
)
SENDING = {"sqs:SendMessage", "events:PutEvents"}
ENVIRONMENT_BYTES = 4_096
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """The template as it is packaged."""
    found: dict[str, Any] = json.loads(merged())
    return found


@pytest.fixture(scope="module")
def template(plain: dict[str, Any]) -> dict[str, Any]:
    """The same with destinations."""
    return with_destinations(plain, DECLARED)


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in role["Properties"].get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]


def test_planners_may_send_to_declared_destinations_and_no_other_role_may(template: dict[str, Any]) -> None:
    sending = {
        name: [
            each["Resource"]
            for each in statements(resource)
            if {"sqs:SendMessage", "events:PutEvents"} & set(each.get("Action", ()))
        ]
        for name, resource in template["Resources"].items()
        if resource.get("Type", "AWS::IAM::Role") == "AWS::IAM::Role"  # Chalice says so of its own
    }

    declared = [{"Fn::GetAtt": [name, "Arn"]} for name in ("ReplayQueue", "ToBilling", "ToEuLedger")]
    planners = sending.pop("PlannerRole")
    assert [*declared, EXISTING] in planners
    assert [{"Fn::GetAtt": ["ToNews", "Arn"]}, BUS] in planners
    assert set(references(sending)) & {"ReplayQueue", "ToBilling", "ToEuLedger", "ToNews"} == set()
    assert not re.search("222222222222", json.dumps(sending))


def test_functions_are_told_names_and_arns(template: dict[str, Any]) -> None:
    told = template["Outputs"]["Destinations"]["Value"]
    for name in ("APIHandler", "Planner"):
        variables = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables["DESTINATIONS"] == told
        assert destinations_in(told["Fn::Sub"]).rates == {"billing": 2.5}
        assert destinations_in(told["Fn::Sub"]).arns == {
            "aggregates": "${ReplayQueue.Arn}",
            "billing": "${ToBilling.Arn}",
            "eu-ledger": "${ToEuLedger.Arn}",
            "theirs": EXISTING,
            "news": "${ToNews.Arn}",
            "their-news": BUS,
        }


def test_as_many_as_may_be_declared_fit_into_the_environment_of_a_function(plain: dict[str, Any]) -> None:
    longest = f"arn:aws-us-gov:sqs:us-gov-west-1:{'2' * 12}:{'q' * 80}"
    many = [
        Declared(f"{'n' * (MAX_NAME - 2)}-{at:x}", "queue", longest, 9_999.999, reports=True)
        for at in range(MAX_DESTINATIONS)
    ]
    variables = plain["Resources"]["Planner"]["Properties"]["Environment"]["Variables"].keys() - {"DESTINATIONS"}
    longest_of = {"_URL": 110, "_TABLE": 64, "_BUCKET": 63, "_ARN": 140}
    lengths = [next((most for end, most in longest_of.items() if name.endswith(end)), 24) for name in variables]

    others = sum(map(len, variables)) + sum(lengths) + len("DESTINATIONS")
    assert len(setting(many)) <= MAX_BYTES
    assert others + MAX_BYTES < ENVIRONMENT_BYTES


def test_a_stage_makes_queue_and_dead_letters_and_none_for_an_existing_queue(
    plain: dict[str, Any], template: dict[str, Any]
) -> None:
    added = template["Resources"].keys() - plain["Resources"].keys()

    of_each = ("To{}", "DeadLettersOf{}", "TlsOf{}", "DeadLettersAlarmOf{}", "OldestMessageAlarmOf{}")
    own = {name.format(each) for each in ("Billing", "EuLedger") for name in of_each}
    policies = {f"ConsumerPolicyOf{each}" for each in ("Billing", "EuLedger", "Theirs", "News", "TheirNews")}
    assert added == own | policies | {"ToNews"}
    for each, end in (("Billing", ""), ("EuLedger", ".fifo")):
        queue, dead = (template["Resources"][f"{name}{each}"]["Properties"] for name in ("To", "DeadLettersOf"))
        assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [f"DeadLettersOf{each}", "Arn"]}
        [allowed] = dead["RedriveAllowPolicy"]["sourceQueueArns"]
        assert allowed["Fn::Sub"].rpartition(":")[2] == queue["QueueName"]["Fn::Sub"]
        assert {queue["MessageRetentionPeriod"], dead["MessageRetentionPeriod"]} == {14 * 86_400}
        assert all(name["Fn::Sub"].endswith(end) for name in (queue["QueueName"], dead["QueueName"]))
        assert (queue.get("FifoQueue"), dead.get("FifoQueue")) == ((True, True) if end else (None, None))


def test_an_ordered_destination_has_a_group_for_each_entity(template: dict[str, Any]) -> None:
    ordered = template["Resources"]["ToEuLedger"]["Properties"]

    assert (ordered["DeduplicationScope"], ordered["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")
    assert ordered["ContentBasedDeduplication"] is False


@pytest.mark.parametrize("name", ["a-r-n", "n-a-m-e"])
def test_a_name_that_reads_like_a_part_of_the_template_is_one_all_the_same(plain: dict[str, Any], name: str) -> None:
    added = with_destinations(plain, (*DEFAULT, Declared(name)))["Resources"].keys() - plain["Resources"].keys()

    parts = ("To", "DeadLettersOf", "TlsOf", "ConsumerPolicyOf", "DeadLettersAlarmOf", "OldestMessageAlarmOf")
    assert added == {f"{part}{name.replace('-', '').upper()}" for part in parts}


def test_everything_that_is_referred_to_is_there(template: dict[str, Any]) -> None:
    known = template["Resources"].keys() | template["Parameters"].keys()

    assert {name for name in references(template["Resources"]) if not name.startswith("AWS::")} <= known


def test_a_consumer_may_take_from_its_own_queue_alone(template: dict[str, Any]) -> None:
    policy = template["Resources"]["ConsumerPolicyOfBilling"]["Properties"]["PolicyDocument"]["Statement"]

    assert [each["Resource"] for each in policy] == [
        {"Fn::GetAtt": ["ToBilling", "Arn"]},
        {"Fn::Sub": "${RawBucket.Arn}/raw/*"},
    ]
    theirs = template["Resources"]["ConsumerPolicyOfTheirs"]["Properties"]["PolicyDocument"]["Statement"]
    assert theirs[0]["Resource"] == EXISTING
    of_a_bus = template["Resources"]["ConsumerPolicyOfNews"]["Properties"]["PolicyDocument"]["Statement"]
    assert [each["Action"] for each in of_a_bus] == ["s3:GetObject"]
    assert template["Outputs"]["BillingConsumerPolicyArn"] == {"Value": {"Ref": "ConsumerPolicyOfBilling"}}


def test_alarms_and_dashboard_watch_the_queues_of_each_destination(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    alarm = resources["DeadLettersAlarmOfBilling"]["Properties"]

    assert alarm["AlarmName"] == {"Fn::Sub": "retrace-${Stage}-dead-letters-of-billing"}
    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["DeadLettersOfBilling", "QueueName"]}
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0]
    for each in ("Billing", "EuLedger"):
        assert len(re.findall(rf"\$\{{(?:To|DeadLettersOf){each}\.QueueName}}", body)) == 4
        assert len(re.findall(rf"\$\{{\w+AlarmOf{each}\.Arn}}", body)) == 2
    assert json.loads(re.sub(r"\$\{[^}]+}", "x", body))
    [seen] = [
        each["Resource"]
        for each in resources["AuditorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if each.get("Sid") == "SeeHowMuchWaits"
    ]
    assert {"ToBilling", "DeadLettersOfBilling", "ToEuLedger", "DeadLettersOfEuLedger"} <= set(references(seen))


@pytest.mark.parametrize(("declared", "enabled"), [(DECLARED, True), ((Declared("billing"),), False)])
def test_there_is_a_processor_only_if_aggregates_is_declared(
    plain: dict[str, Any], declared: tuple[Declared, ...], *, enabled: bool
) -> None:
    left, right = with_destinations(plain, declared)["Conditions"]["EnablesProcessor"]["Fn::Equals"]

    assert (left == right) is enabled


def test_other_destinations_publish_other_versions(plain: dict[str, Any], template: dict[str, Any]) -> None:
    texts = [with_destinations(plain, DEFAULT), template]
    described = {each["Resources"]["ApiVersion"]["Properties"]["Description"]["Fn::Sub"] for each in texts}

    assert len(described) == 2
    assert template["Resources"]["APIHandler"]["Properties"]["Description"]["Fn::Sub"] in described


def test_for_chalice_deploy_the_stack_has_the_queues_and_tells_them() -> None:
    storage = with_destinations(load(RESOURCES), DECLARED)

    assert {"ToBilling", "ToEuLedger", "DeadLettersOfBilling"} <= storage["Resources"].keys()
    assert not [name for name in storage["Resources"] if "Alarm" in name]
    assert storage["Outputs"]["Destinations"] == {"Value": {"Fn::Sub": setting(DECLARED)}}


def test_for_chalice_deploy_consumers_have_their_policies_without_the_right_to_report() -> None:
    storage = with_destinations(load(RESOURCES), (*DECLARED, Declared("reporting", reports=True)))

    policies = {name: each for name, each in storage["Resources"].items() if each["Type"] == "AWS::IAM::ManagedPolicy"}
    of = ("Billing", "EuLedger", "Theirs", "News", "TheirNews", "Reporting")
    assert policies.keys() == {f"ConsumerPolicyOf{each}" for each in of}
    assert {f"{each}ConsumerPolicyArn" for each in of} <= storage["Outputs"].keys()
    assert "execute-api" not in json.dumps(policies)
    assert set(references(policies)) <= storage["Resources"].keys()


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_no_template_or_policy_has_a_partition_of_its_own(plain: dict[str, Any], partition: str) -> None:
    deployer = f"arn:{partition}:sts::111111111111:assumed-role/admin/jo"
    theirs = Declared("theirs", "queue", EXISTING.replace(":aws:", f":{partition}:"), reports=True)

    role = role_of_planners([Resource("PlannerRole", "AWS::IAM::Role", "planner")], "dev", deployer)
    by_chalice = role_of_planners([], "dev", deployer)
    written = [with_destinations(template, (*DECLARED[:3], theirs)) for template in (plain, load(RESOURCES))]
    told = [json.dumps(written), *dict(policies_to_attach([theirs], "111111111111", role)).values(), by_chalice]

    assert role == f"arn:{partition}:iam::111111111111:role/planner"
    assert by_chalice == f"arn:{partition}:iam::111111111111:role/retrace-dev-planner"
    assert {found for text in told for found in re.findall(r"arn:(aws[a-z-]*):", text)} == {partition}


def test_a_policy_to_attach_is_told_for_queues_of_other_accounts_alone() -> None:
    role = "arn:aws:iam::111111111111:role/planner"

    told = dict(policies_to_attach(DECLARED, "111111111111", role))

    assert list(told) == [EXISTING, BUS]
    for (arn, policy), action in zip(told.items(), ("sqs:SendMessage", "events:PutEvents"), strict=True):
        [allowed] = json.loads(policy)["Statement"]
        assert allowed["Resource"] == arn
        assert (allowed["Effect"], allowed["Action"], allowed["Principal"]) == ("Allow", action, {"AWS": role})
    assert list(policies_to_attach(DECLARED, "222222222222", role)) == []
