"""What protects a deployment: `retrace doctor` holds it against the template, and says what is not as deployed.

moto stands for AWS. Its CloudFormation passes over lifecycle, lock and recovery, so the fixture puts them as AWS would.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from typer.testing import CliRunner

from infra.merge import RESOURCES, load
from retrace.checking.protection import Declared, notifications
from retrace.checking.safeguards import safeguards
from retrace.checkup import Finding, Level
from retrace.command_line import app
from retrace.problem import Exit
from retrace.target import Target
from tests.unit.cli.scripted_api import exit_code, routes, serving

STACK, BUCKET = "retrace-prod", "retrace-prod-raw"
ARNS = {"RawBucket": f"arn:aws:s3:::{BUCKET}"}
TABLES = {"EventsTable": "events", "DedupeTable": "dedupe", "ReplaysTable": "replays", "AggregatesTable": "aggregates"}
TEMPLATE = load(RESOURCES)
PARAMETERS = {name: str(each["Default"]) for name, each in TEMPLATE["Parameters"].items()}


PREFIX = {"Name": "prefix", "Value": "raw/"}

FILES = {
    "ID": "forget-events-files",
    "Status": "Enabled",
    "Expiration": {"Days": 240},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
}
"""The rule that has files of events expire, as S3 answers it without its prefix."""


class Deployed:
    """A stage, deployed; its CloudFormation only remembers the template."""

    def __init__(self, **parameters: str) -> None:
        names = {"raw_bucket": BUCKET} | {f"{name}_table": name for name in TABLES.values()}
        self.target = Target("https://a.example/api", "test", "eu-west-1", stack=STACK, storage=names)
        self.s3, self.dynamodb = self.target.client("s3"), self.target.client("dynamodb")
        self.parameters = PARAMETERS | parameters
        declared = Declared(TEMPLATE, self.parameters, ARNS)
        self._remember()
        self._put_bucket(declared.properties("RawBucket"), declared.properties("RawBucketPolicy"))
        for name in TABLES.values():
            self._put_table(name)

    def _remember(self) -> None:
        # moto would make the resources under names of its own, so they are under a condition that does not hold.
        looked_at = ("RawBucket", "RawBucketPolicy", "DigestQueue", *TABLES)
        never = {name: TEMPLATE["Resources"][name] | {"Condition": "Never"} for name in looked_at}
        resources = {"Topic": {"Type": "AWS::SNS::Topic"}} | never
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        outputs = {"RawBucket": {"Value": BUCKET}} | {name: {"Value": each} for name, each in TABLES.items()}
        conditions = TEMPLATE["Conditions"] | {"Never": {"Fn::Equals": ["a", "b"]}}
        template = {**TEMPLATE, "Conditions": conditions, "Resources": resources, "Outputs": outputs}
        cloudformation = self.target.client("cloudformation")
        cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template), Parameters=given)

    def _put_bucket(self, bucket: Any, policy: Any) -> None:
        named: Any = {"Bucket": BUCKET}
        where = {"LocationConstraint": "eu-west-1"}
        self.s3.create_bucket(**named, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        lock = bucket["ObjectLockConfiguration"]
        if "Rule" in lock:
            days = lock["Rule"]["DefaultRetention"]
            lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": days | {"Days": int(days["Days"])}}}
            self.s3.put_object_lock_configuration(**named, ObjectLockConfiguration=lock)
        blocked = bucket["PublicAccessBlockConfiguration"]
        self.s3.put_public_access_block(**named, PublicAccessBlockConfiguration=blocked)
        self.expire([])
        self.notify("raw/", "rejected/", "superseded/", "metrics/")
        self.s3.put_bucket_policy(**named, Policy=json.dumps(policy["PolicyDocument"]))

    def notify(self, *prefixes: str, queue: str = "retrace-dev-digest") -> None:
        """Have S3 tell a queue of what is written below prefixes."""
        url = self.target.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
        arn = f"arn:aws:sqs:eu-west-1:{url.split('/')[-2]}:{queue}"
        below = [[{"Name": "prefix", "Value": prefix}] for prefix in prefixes]
        told: Any = [
            {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
            for rules in below
        ]
        configuration: Any = {"QueueConfigurations": told}
        self.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)

    def expire(self, more: list[Any], below: str = "events-files/") -> None:
        """Put the template's lifecycle rules, and others."""
        rule = {
            "ID": "forget-uploads-that-were-not-completed",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
        rules: Any = {"Rules": [rule, {**FILES, "Filter": {"Prefix": below}}, *more]}
        self.s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=rules)

    def _put_table(self, name: str) -> None:
        self.dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
        )
        self.recover(name, enabled=True)

    def recover(self, name: str, *, enabled: bool) -> None:
        """Say whether a table can be put back to any second."""
        wanted: Any = {"PointInTimeRecoveryEnabled": enabled}
        self.dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)

    def found(self) -> dict[str, Finding]:
        """What doctor says, by what was looked at."""
        return {finding.check: finding for finding in safeguards(self.target)}

    def wrong(self) -> dict[str, str]:
        """What doctor calls a problem."""
        return {check: each.said for check, each in self.found().items() if each.level is Level.PROBLEM}


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    with mock_aws():
        yield Deployed()


def test_as_deployed_all_is_well(deployed: Deployed) -> None:
    found = deployed.found()

    assert {check: each.said for check, each in found.items() if each.level is not Level.OK} == {}
    assert found.keys() == {
        "bucket policy",
        "object lock",
        "versioning",
        "public access",
        "lifecycle",
        "notifications",
        *(f"table {name}" for name in TABLES.values()),
    }
    assert found["object lock"].said == "new versions are kept for 365 days (GOVERNANCE)"


def test_a_deleted_policy_and_a_rule_that_expires_everything_are_problems(deployed: Deployed) -> None:
    deployed.s3.delete_bucket_policy(Bucket=BUCKET)
    deployed.expire([{"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}])

    wrong = deployed.wrong()

    assert wrong.keys() == {"bucket policy", "lifecycle"}
    assert wrong["bucket policy"].startswith("The bucket has no policy.")
    assert "all" in wrong["lifecycle"]


def without_deletes(deployed: Deployed) -> None:
    document = json.loads(deployed.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "NothingIsDeleted"]
    deployed.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))


def of_one_prefix(deployed: Deployed) -> None:
    policy = deployed.s3.get_bucket_policy(Bucket=BUCKET)["Policy"].replace(f"{BUCKET}/*", f"{BUCKET}/raw/*")
    deployed.s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)


def more_allowed(deployed: Deployed) -> None:
    document = json.loads(deployed.s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    more = {
        "Sid": "More",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    document["Statement"].append(more)
    deployed.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))


def shorter_retention(deployed: Deployed) -> None:
    lock: Any = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    deployed.s3.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=lock)


def no_retention(deployed: Deployed) -> None:
    lock: Any = {"ObjectLockEnabled": "Enabled"}
    deployed.s3.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=lock)


def of_all_objects(deployed: Deployed) -> None:
    """The rule of files of events, with all objects below its prefix."""
    deployed.expire([], below="")


def no_lifecycle(deployed: Deployed) -> None:
    deployed.s3.delete_bucket_lifecycle(Bucket=BUCKET)


def nothing_told(deployed: Deployed) -> None:
    deployed.notify()


def told_of_one_prefix(deployed: Deployed) -> None:
    deployed.notify("raw/")


def told_elsewhere(deployed: Deployed) -> None:
    deployed.notify("raw/", "rejected/", "superseded/", "metrics/", queue="another")


def suspended(deployed: Deployed) -> None:
    """AWS refuses it where Object Lock is on; moto does not."""
    deployed.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


def opened(deployed: Deployed) -> None:
    deployed.s3.delete_public_access_block(Bucket=BUCKET)


def unprotected(deployed: Deployed) -> None:
    deployed.dynamodb.update_table(TableName="events", DeletionProtectionEnabled=False)


def irrecoverable(deployed: Deployed) -> None:
    deployed.recover("dedupe", enabled=False)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (without_deletes, "bucket policy"),
        (of_one_prefix, "bucket policy"),
        (more_allowed, "bucket policy"),
        (shorter_retention, "object lock"),
        (no_retention, "object lock"),
        (no_lifecycle, "lifecycle"),
        (of_all_objects, "lifecycle"),
        (nothing_told, "notifications"),
        (told_of_one_prefix, "notifications"),
        (told_elsewhere, "notifications"),
        (suspended, "versioning"),
        (opened, "public access"),
        (unprotected, "table events"),
        (irrecoverable, "table dedupe"),
    ],
)
def test_each_part_of_the_protection_that_is_changed_is_a_problem(
    deployed: Deployed, change: Callable[[Deployed], None], check: str
) -> None:
    change(deployed)

    assert deployed.wrong().keys() == {check}
    assert deployed.found()[check].remedy


def test_the_values_are_those_that_the_stage_was_deployed_with() -> None:
    with mock_aws():
        deployed = Deployed(RawRetentionDays="30", RawRetentionMode="COMPLIANCE", RefusePlainHttp="false")

        assert deployed.wrong() == {}
        assert deployed.found()["object lock"].said == "new versions are kept for 30 days (COMPLIANCE)"
        assert "TlsOnly" not in deployed.found()["bucket policy"].said


def test_what_digests_would_miss_is_named(deployed: Deployed) -> None:
    deployed.notify("raw/")

    said = deployed.wrong()["notifications"]

    assert said == "S3 does not notify the digest queue of what is written below metrics/, rejected/, superseded/."


def test_s3_may_write_the_name_of_a_filter_with_a_capital() -> None:
    declared = {"Event": "s3:ObjectCreated:*", "Queue": "q", "Filter": {"S3Key": {"Rules": [PREFIX]}}}
    rules = [{"Name": "Prefix", "Value": "raw/"}]
    found = {"Events": ["s3:ObjectCreated:*"], "QueueArn": "q", "Filter": {"Key": {"FilterRules": rules}}}

    finding = notifications({"QueueConfigurations": [declared]}, {"QueueConfigurations": [found]})

    assert finding.level is Level.OK


def test_a_stage_without_digests_needs_no_notifications() -> None:
    with mock_aws():
        deployed = Deployed(EnableDigests="false")
        deployed.notify()

        assert deployed.wrong() == {}
        assert deployed.found()["notifications"].said == "none: the stage was deployed without digests"


def test_a_stage_that_keeps_nothing_is_a_warning() -> None:
    with mock_aws():
        finding = Deployed(RawRetentionDays="0").found()["object lock"]

    assert finding.level is Level.WARNING
    assert "RawRetentionDays is 0" in finding.said


def test_a_target_without_a_stack_is_a_warning_and_a_local_one_has_nothing_to_protect() -> None:
    unnamed = Target("https://a.example/api", "test", "eu-west-1")
    local = Target("https://a.example/api", "test", "eu-west-1", access_key=("AKIATESTING", "secret"))

    assert [finding.level for finding in safeguards(unnamed)] == [Level.WARNING]
    assert list(safeguards(local)) == []


def test_a_template_that_cannot_be_read_is_a_warning() -> None:
    names = {"raw_bucket": BUCKET}
    with mock_aws():
        target = Target("https://a.example/api", "test", "eu-west-1", stack="gone", storage=names)

        assert [finding.level for finding in safeguards(target)] == [Level.WARNING]


def test_the_command_says_so_and_ends_with_1(deployed: Deployed) -> None:
    deployed.s3.delete_bucket_policy(Bucket=BUCKET)
    health = {"GET /health": (200, {"status": "ok"})}
    with serving(routes(health)) as api:
        result = api.run("--stack", STACK, "--region", "eu-west-1", "doctor", "--json")

    findings = {each["check"]: each["level"] for each in map(json.loads, result.stdout.splitlines())}
    assert (findings["signature"], findings["bucket policy"], findings["lifecycle"]) == ("ok", "problem", "ok")
    assert exit_code(result) == Exit.DIFFERENT


def audited(config: Path, *chosen: str) -> tuple[int, str]:
    """How an audit of empty bucket and tables ends, and its remarks."""
    environment = {
        "XDG_CONFIG_HOME": str(config),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
    }
    result = CliRunner().invoke(app, [*chosen, "check", "audit", "--json"], env=environment)
    return exit_code(result), result.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A profile that names bucket and tables, and no stack."""
    names = {"url": "https://a.example/api", "raw_bucket": BUCKET} | {f"{name}_table": name for name in TABLES.values()}
    path = tmp_path / "retrace/config.toml"
    path.parent.mkdir()
    path.write_text("".join(["[prod]\n", *(f'{name} = "{value}"\n' for name, value in names.items())]))
    return tmp_path


def test_an_audit_of_a_sound_stage_ends_with_0(deployed: Deployed, config: Path) -> None:
    assert deployed.wrong() == {}
    code, said = audited(config, "--profile", "prod", "--stack", STACK)

    assert (code, "bucket policy" in said) == (Exit.DONE, False), said


def test_an_audit_does_not_end_well_where_the_protection_is_gone(deployed: Deployed, config: Path) -> None:
    deployed.s3.delete_bucket_policy(Bucket=BUCKET)
    deployed.expire([{"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}])
    code, said = audited(config, "--profile", "prod", "--stack", STACK)

    assert code == Exit.DIFFERENT
    assert "bucket policy: The bucket has no policy." in said
    assert "lifecycle: Rules differ from those deployed: all." in said


@pytest.mark.usefixtures("deployed")
def test_an_audit_without_a_stack_says_that_the_protection_was_not_looked_at(config: Path) -> None:
    code, said = audited(config, "--profile", "prod")

    assert code == Exit.DONE
    assert "protection: The deployed template is unknown. Give --stack" in said
