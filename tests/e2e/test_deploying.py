"""`make deploy` and `make destroy` on the embedded AWS: stages apart, data kept, and what stops them told in words."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from urllib3 import BaseHTTPResponse

from chalicelib.core.timestamps import Instant
from chalicelib.replays.dynamodb_jobs import DynamoReplayStore
from chalicelib.replays.job import ReplayJob
from chalicelib.replays.request import ReplayRequest
from embedded.adaptation import adapted
from embedded.admin import ACCOUNT, REGION
from embedded.deployment import cached
from infra import deploy, destroy
from infra.account import Artifacts
from infra.changes import PROTECTED
from infra.command import Problem
from infra.package import Application
from infra.rollout import roll_out
from tests.e2e.deployed import Deployed
from tests.e2e.stages import ON_HTTP, Emulated, emulated

DAY = "2026-11-21"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    with emulated(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(scope="module")
def said(aws: Emulated) -> dict[str, str]:
    """What was said as two stages were deployed into the account."""
    # An account has one role for the logs of API Gateway.
    return {"one": aws.deploy("one", ON_HTTP), "two": aws.deploy("two", ON_HTTP, "SetApiLogRole=false")}


@pytest.fixture(scope="module")
def one(aws: Emulated, said: dict[str, str]) -> Deployed:
    return reached_as_both(aws, "one")


@pytest.fixture(scope="module")
def two(aws: Emulated, said: dict[str, str]) -> Deployed:
    return reached_as_both(aws, "two")


def reached_as_both(aws: Emulated, stage: str) -> Deployed:
    """A stage, as somebody who may send and investigate, there and nowhere else."""
    outputs = aws.cloudformation(stage).outputs()
    key = aws.user(f"all-of-{stage}", outputs["ProducerPolicyArn"], outputs["InvestigatorPolicyArn"])
    return aws.reached(outputs, outputs["RestAPIId"], key)


def events(entity_id: str, number: int) -> list[dict[str, Any]]:
    return [
        {
            "source": "e2e/deploying",
            "event_type": "thing.happened",
            "entity_id": entity_id,
            "event_time": f"{DAY}T{position // 3600:02}:{position // 60 % 60:02}:{position % 60:02}Z",
            "payload": position,
        }
        for position in range(number)
    ]


def ids(stage: Deployed, entity_id: str) -> set[str]:
    """The events of an entity that a stage knows."""
    return {item["event_id"] for item in stage.get("/events", entity_id=entity_id, limit="1000", **WINDOW)["items"]}


UPDATES = 4
"""More than one deployment makes of a function."""

WINDOW = {"start_time": f"{DAY}T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}


def test_a_first_deployment_says_what_it_adds_how_far_it_is_and_how_to_go_on(said: dict[str, str]) -> None:
    lines = said["one"].splitlines()

    assert lines[0] == f"Account {ACCOUNT}, region {REGION}, as arn:aws:iam::{ACCOUNT}:root"
    assert "  + RawBucket" in said["one"]
    assert " RawBucket created" in said["one"]
    assert '  [one]\n  url = "https://' in said["one"]
    assert '\n  stack = "retrace-one"\n' in said["one"]
    assert "  retrace --profile one doctor" in lines


def test_templates_and_code_lie_in_a_bucket_that_is_private_encrypted_and_versioned(
    aws: Emulated, said: dict[str, str]
) -> None:
    s3, bucket = aws.admin.s3, f"retrace-artifacts-{ACCOUNT}-{REGION}"

    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    [statement] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_what_goes_into_one_stage_is_not_seen_in_another(one: Deployed, two: Deployed) -> None:
    sent = one.post("/ingest", events("apart", 1)[0]).json()

    assert ids(one, "apart") == {sent["event_id"]}
    assert ids(two, "apart") == set()
    assert two.rows(two.stack.events_table) == two.rows(two.stack.dedupe_table) == []
    assert two.objects() == {}
    # Not even as something known: there it is as new as here.
    assert two.post("/ingest", events("apart", 1)[0]).json()["status"] == "ACCEPTED"


def test_rights_in_one_stage_are_none_in_another(aws: Emulated, one: Deployed, two: Deployed) -> None:
    outputs = aws.cloudformation("one").outputs()
    key = aws.user("producer-of-one", outputs["ProducerPolicyArn"])
    there = aws.cloudformation("two").outputs()

    assert aws.reached(outputs, outputs["RestAPIId"], key).post("/ingest", events("rights", 1)[0]).status == 201
    assert aws.reached(there, there["RestAPIId"], key).post("/ingest", events("rights", 1)[0]).status == 403


def test_an_update_keeps_every_event_and_the_api_answers_all_the_while(aws: Emulated, one: Deployed) -> None:
    answer = one.ingest([json.dumps(event).encode() for event in events("kept", 250)])
    before = {result["event_id"] for result in answer["results"]}
    objects, rows = one.objects(), one.events_and_identities()
    identity = kept_resources(aws, "one")
    statuses: list[int] = []

    def calls() -> None:
        health = answered(one, "/health")
        found = answered(one, "/events", entity_id="kept", limit="1000", **WINDOW)
        statuses.extend((health.status, found.status))
        assert (health.status, found.status) == (200, 200), (health.data, found.data)
        assert {item["event_id"] for item in found.json()["items"]} == before

    with calling(calls):
        said = aws.deploy("one", "RawRetentionDays=365", "MaxInFlight=500", "ConfirmAbove=7")

    assert " RawBucket " in said
    assert set(statuses) == {200}
    assert len(before) == 250
    assert ids(one, "kept") == before
    assert (one.objects(), one.events_and_identities()) == (objects, rows)
    assert kept_resources(aws, "one") == identity
    settings = aws.admin.functions.get_function_configuration(
        FunctionName=aws.cloudformation("one").outputs()["APIHandlerName"]
    )["Environment"]["Variables"]
    assert settings["MAX_IN_FLIGHT"] == "500"


def kept_resources(aws: Emulated, stage: str) -> dict[str, str]:
    """The names in AWS of what no update may replace: under the same name in the template another could lie."""
    resources = aws.cloudformation(stage).resources()
    found = {each.logical_id: each.physical_id for each in resources if each.type in PROTECTED}
    assert {"RawBucket", "RawBucketPolicy", "EventsTable", "DedupeTable"} < found.keys()
    return found


def answered(stage: Deployed, path: str, **query: str) -> BaseHTTPResponse:
    """Ask, and again where the emulator has killed the function at its work.

    It does so each time it updates a function, its code or its configuration, and a slow start meets several of them;
    AWS lets an invocation that has begun end, and the next finds the new code.
    """
    for _ in range(UPDATES):
        answer = stage.api.call("GET", path, query=query)
        if answer.status != 502 or b"Runtime.HandlerError" not in answer.data:
            return answer
    return stage.api.call("GET", path, query=query)


class calling:  # noqa: N801  # it reads as what it does: with calling(…)
    """Call something again and again on a thread while the block lasts; what it raises is raised at the end."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._over = threading.Event()
        self._begun = threading.Event()
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._go_on, args=[call])

    def _go_on(self, call: Callable[[], None]) -> None:
        try:
            while not self._over.is_set():
                call()
                self._begun.set()
        except BaseException as exc:  # noqa: BLE001  # raised below, where the test sees it
            self._failures.append(exc)
        finally:
            self._begun.set()

    def __enter__(self) -> None:
        self._thread.start()
        self._begun.wait()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._failures:
            raise self._failures[0]


def test_parameters_keep_their_values_until_they_are_given_again(aws: Emulated, two: Deployed) -> None:
    aws.deploy("two", "LogRetentionDays=30")

    described = aws.cloudformation("two").described()
    assert described is not None
    values = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    assert (values["RefusePlainHttp"], values["SetApiLogRole"]) == ("false", "false")
    assert (values["LogRetentionDays"], values["Stage"]) == ("30", "two")


def test_deployed_twice_it_says_that_nothing_is_to_change(aws: Emulated) -> None:
    # Not so with functions: the template has API Gateway deploy its stage each time.
    aws.deploy("twice", "--resources", ON_HTTP)

    assert "retrace-twice is up to date: there was nothing to change." in aws.deploy("twice", "--resources")


def test_a_dry_run_shows_changes_and_makes_none(aws: Emulated, two: Deployed) -> None:
    said = aws.deploy("two", "--dry-run", "ConfirmAbove=7")

    assert " Processor " in said
    artifacts = f"retrace-artifacts-{ACCOUNT}-{REGION}"
    assert said.endswith(f"Nothing was changed in retrace-two; what was uploaded stays in {artifacts}.\n")
    assert "Processor" in {resource.logical_id for resource in aws.cloudformation("two").resources()}


def test_a_dry_run_of_a_new_stage_leaves_no_stack(aws: Emulated) -> None:
    assert "  + RawBucket" in aws.deploy("never", "--dry-run")

    assert aws.cloudformation("never").described() is None


def refused(aws: Emulated, module: str, *arguments: str) -> str:
    """Run a command that must fail, and return what it said."""
    finished = aws.run(module, *arguments)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    assert "\n→ " in finished.stderr
    return finished.stderr


def test_resources_alone_do_not_take_the_functions_of_a_stage_away(aws: Emulated, two: Deployed) -> None:
    assert "would be removed" in refused(aws, "infra.deploy", "two", "--resources")


REPORTERS = """
destinations:
  billing: {kind: queue, reports: true}
  ledger: {kind: queue, reports: true, reporters: ["arn:aws:iam::111122223333:role/ledger"]}
"""
THEIRS = f"arn:aws:sqs:{REGION}:222222222222:theirs"
USED = f"""
destinations:
  billing: {{kind: queue}}
  theirs: {{kind: queue, arn: "{THEIRS}"}}
"""
ONLY_AGGREGATES = "destinations: {aggregates: }"


def destinations_of(tmp_path: Path, text: str) -> tuple[str, str]:
    """The arguments of a deployment with these destinations."""
    file = tmp_path / "destinations.yaml"
    file.write_text(text)
    return "--destinations", str(file)


def test_consumers_that_could_report_on_the_replays_of_others_are_refused(aws: Emulated, tmp_path: Path) -> None:
    said = refused(aws, "infra.deploy", "reported", *destinations_of(tmp_path, REPORTERS))

    assert "any of them could report on replays to billing" in said
    assert "`reporters` in destinations.yaml" in said
    assert aws.cloudformation("reported").described() is None


def test_the_policy_for_another_account_is_printed_and_what_is_in_use_is_not_removed(
    aws: Emulated, tmp_path: Path
) -> None:
    printed = aws.deploy("used", "--resources", ON_HTTP, *destinations_of(tmp_path, USED))
    outputs = aws.cloudformation("used").outputs()
    billing = json.loads(outputs["Destinations"])["billing"]["arn"]
    request = ReplayRequest.model_validate({"entity_id": "order-1", **WINDOW, "destination": "theirs"})
    now = Instant(f"{DAY}T00:00:00.000000000Z")
    running = ReplayJob("replay-1", request, "me", now, now, 4, destination_arn=THEIRS)
    DynamoReplayStore(aws.admin.dynamodb, outputs["ReplaysTable"], lambda _: None).create(running, None, "digest")
    url = aws.admin.sqs.get_queue_url(QueueName=billing.rpartition(":")[2])["QueueUrl"]
    aws.admin.sqs.send_message(QueueUrl=url, MessageBody="waiting")

    waits = refused(
        aws, "infra.deploy", "used", "--resources", *destinations_of(tmp_path, USED.replace("  billing", "  other"))
    )
    sends = refused(
        aws, "infra.deploy", "used", "--resources", *destinations_of(tmp_path, USED.replace(THEIRS, f"{THEIRS}-2"))
    )
    aws.admin.sqs.purge_queue(QueueUrl=url)
    aws.deploy("used", "--resources", ON_HTTP, *destinations_of(tmp_path, USED.replace("  billing", "  other")))

    _, _, told = printed.partition(f"# attach this policy to {THEIRS}, or no replay reaches it\n")
    [statement] = json.loads(told.splitlines()[0])["Statement"]
    sender = f"arn:aws:iam::{ACCOUNT}:role/retrace-used-planner"
    assert (statement["Principal"], statement["Action"]) == ({"AWS": sender}, "sqs:SendMessage")
    assert statement["Resource"] == THEIRS
    assert "The destination billing would be removed, but 1 messages wait there." in waits
    assert "The destination theirs would be removed, but a replay still sends to it: replay-1." in sends
    assert set(json.loads(aws.cloudformation("used").outputs()["Destinations"])) == {"other", "theirs"}


def test_a_value_that_a_parameter_cannot_have(aws: Emulated, two: Deployed) -> None:
    assert "MaxInFlight" in refused(aws, "infra.deploy", "two", "MaxInFlight=0")


def template_url(aws: Emulated, template: dict[str, Any]) -> str:
    artifacts = Artifacts(aws.admin.s3, ACCOUNT, REGION)
    artifacts.prepare()
    return artifacts.keep_template(template)


@pytest.fixture
def session(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process works with the emulator, as a shell does."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.administrator.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.administrator.secret_access_key)
    boto3.setup_default_session()


@pytest.mark.usefixtures("session")
def test_a_table_is_not_removed(aws: Emulated, two: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    def renamed(*arguments: Any) -> dict[str, Any]:
        template: dict[str, Any] = json.loads(json.dumps(adapted(*arguments)).replace("DedupeTable", "IdentityTable"))
        return template

    assert deploy.main(["two"], application=Application(cached, renamed)) == 1

    said = capsys.readouterr().err
    assert "\nData or its protection would be lost with DedupeTable (removed). Nothing was changed.\n→ " in said
    assert "DedupeTable" in {resource.logical_id for resource in aws.cloudformation("two").resources()}


BROKEN = {
    "Parameters": {"Stage": {"Type": "String"}},
    "Resources": {
        "Kept": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
            },
        },
        "Failing": {
            "Type": "AWS::CloudWatch::Alarm",
            "DependsOn": "Kept",
            "Properties": {
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "Metrics": [{"Id": "no_metric", "Expression": "no expression ("}],
            },
        },
    },
}


def test_a_resource_that_fails_is_named_with_its_reason_and_what_stays_is_listed(aws: Emulated) -> None:
    stack = aws.cloudformation("broken")

    with pytest.raises(Problem) as caught:
        roll_out(stack, "CREATE", template_url(aws, BROKEN), {"Stage": "broken"})

    assert caught.value.what.startswith(
        "The deployment ended as ROLLBACK_COMPLETE.\n  Failing (AWS::CloudWatch::Alarm): "
    )
    assert "aws dynamodb delete-table --table-name retrace-broken-Kept-" in caught.value.what
    # A stack that never came to be cannot be updated, and says how it is got rid of.
    assert "make destroy STAGE=broken" in refused(aws, "infra.deploy", "broken")
    assert aws.run("infra.destroy", "broken", "--yes").returncode == 0
    assert stack.described() is None


def test_a_stage_that_holds_data_is_not_removed_and_it_says_what_it_holds(aws: Emulated) -> None:
    aws.deploy("full", "--resources", ON_HTTP)
    outputs = aws.cloudformation("full").outputs()
    admin = aws.admin
    admin.s3.put_object(Bucket=outputs["RawBucket"], Key="raw/1", Body=b"{}", IfNoneMatch="*")
    for key in ("1", "2"):
        admin.dynamodb.put_item(TableName=outputs["DedupeTable"], Item={"event_id": {"S": key}})
    admin.sqs.send_message(QueueUrl=outputs["ReplayQueueUrl"], MessageBody="{}")
    table, queue = outputs["DedupeTable"], outputs["ReplayQueueUrl"]

    said = refused(aws, "infra.destroy", "full", "--yes")

    assert f"DedupeTable ({table}): 2 items\n" in said
    assert f"RawBucket ({outputs['RawBucket']}): 1 object\n" in said
    assert f"ReplayQueue ({queue}): 1 message\n      aws sqs purge-queue --queue-url {queue}\n" in said
    assert "EventsTable" not in said
    assert aws.cloudformation("full").outputs() == outputs


@pytest.mark.usefixtures("session")
def test_an_empty_stage_is_removed_once_its_name_is_typed(aws: Emulated, capsys: pytest.CaptureFixture[str]) -> None:
    aws.deploy("empty", "--resources", ON_HTTP)
    outputs = aws.cloudformation("empty").outputs()
    table, bucket = outputs["EventsTable"], outputs["RawBucket"]
    asked: list[str] = []

    def typing(answer: str) -> Callable[[str], str]:
        def typed(question: str) -> str:
            asked.append(question)
            return answer

        return typed

    assert destroy.main(["empty"], ask=typing("full")) == 1
    assert aws.cloudformation("empty").described() is not None
    assert destroy.main(["empty"], ask=typing("empty")) == 0

    assert asked == ["retrace-empty contains no data. Type empty to remove it: "] * 2
    assert aws.cloudformation("empty").described() is None
    said = capsys.readouterr().out
    assert "  ReplayQueue deleted\n" in said
    assert f"      aws dynamodb delete-table --table-name {table}\n" in said
    assert "  RawBucketPolicy  AWS::S3::BucketPolicy  " in said
    assert "      It goes with its bucket.\n" in said
    assert aws.admin.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert aws.admin.dynamodb.describe_table(TableName=table)["Table"]["TableName"] == table


def test_what_is_not_there_cannot_be_removed(aws: Emulated) -> None:
    assert "There is no stack retrace-nowhere" in refused(aws, "infra.destroy", "nowhere", "--yes")
