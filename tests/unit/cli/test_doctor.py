"""`retrace doctor`: each thing that may be wrong is told with its remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from moto import mock_aws

from chalicelib.core.version import MAJOR_VERSION, VERSION
from retrace.checking.safeguards import newest_digest
from retrace.checkup import Api, Finding, Level, credentials, queues
from retrace.client import Client
from retrace.problem import Exit
from retrace.target import QUEUES, Target
from tests.unit.cli.scripted_api import Answer, ScriptedApi, exit_code, problem, routes, serving

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HEALTHY: dict[str, Answer] = {
    "GET /health": (200, {"status": "ok"}),
    "GET /openapi.json": (200, {"info": {"version": VERSION}}),
}


def found(
    answers: dict[str, Answer], now: datetime = NOW, seconds: float = 0.1, major: str | None = MAJOR_VERSION
) -> dict[str, Finding]:
    """What is found of an API at a time, when each of its answers takes so long."""
    ticks = iter(range(100))
    with serving(routes(answers)) as api:
        api.headers[200] = {} if major is None else {"Retrace-Version": major}
        target = Target(api.url, "test", "eu-central-1", access_key=("key", "secret"))
        client = Client(target, sleep=lambda _: None)
        looked_at = Api(client, lambda: now, lambda: next(ticks) * seconds).look()
        return {finding.check: finding for finding in looked_at}


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.level.value for name, finding in findings.items()}


def test_where_all_is_well_all_is_ok() -> None:
    at = datetime.now(UTC)

    assert levels(found(HEALTHY, at)) == dict.fromkeys(("signature", "clock", "version", "speed"), "ok")


@pytest.mark.parametrize(
    ("behind_s", "level"),
    [(0, Level.OK), (30, Level.OK), (-30, Level.OK), (120, Level.WARNING), (-299, Level.WARNING), (300, Level.PROBLEM)],
)
def test_a_clock_that_is_off_is_told(behind_s: int, level: Level) -> None:
    date = format_datetime(NOW + timedelta(seconds=behind_s), usegmt=True)
    with serving(routes({})) as api:
        client = Client(Target(api.url, "test", "eu-central-1", access_key=("key", "secret")))
        finding = Api(client, lambda: NOW).skew(date, NOW)

    assert finding.level is level
    assert ("behind" in finding.said) == (behind_s > 1)
    assert ("ahead of" in finding.said) == (behind_s < -1)


def test_an_answer_without_a_date_is_a_warning() -> None:
    with serving(routes({})) as api:
        client = Client(Target(api.url, "test", "eu-central-1", access_key=("key", "secret")))

        assert Api(client, lambda: NOW).skew(None, NOW).level is Level.WARNING


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refused_request_is_a_problem_and_the_clock_is_looked_at_all_the_same(status: int) -> None:
    findings = found(HEALTHY | {"GET /health": (status, {"message": "Signature expired"})}, datetime.now(UTC))

    assert levels(findings) == {"signature": "problem", "clock": "ok"}
    assert "Signature expired" in findings["signature"].said
    assert findings["signature"].remedy


def test_slow_answers_are_a_warning() -> None:
    findings = found(HEALTHY, datetime.now(UTC), seconds=2.0)

    assert levels(findings) == {"signature": "ok", "clock": "ok", "version": "ok", "speed": "warning"}
    assert "2s in the middle" in findings["speed"].said


@pytest.mark.parametrize(
    ("deployed", "major", "shown", "level"),
    [
        (VERSION, MAJOR_VERSION, VERSION, "ok"),
        (f"{MAJOR_VERSION}.999.0", MAJOR_VERSION, f"{MAJOR_VERSION}.999.0", "ok"),
        ("2.0.0", "2", "2.0.0", "warning"),
        ("1", None, "0.1", "warning"),  # as release 0.1 says it
    ],
)
def test_both_versions_are_told_and_another_major_version_is_a_warning(
    deployed: str, major: str | None, shown: str, level: str
) -> None:
    answers = HEALTHY | {"GET /openapi.json": (200, {"info": {"version": deployed}})}

    version = found(answers, datetime.now(UTC), major=major)["version"]

    assert version.level.value == level
    assert version.said == f"The deployment has version {shown}, this command line {VERSION}."


def test_an_api_that_may_not_describe_itself_is_a_warning() -> None:
    assert found(HEALTHY | {"GET /openapi.json": (403, {})}, datetime.now(UTC))["version"].level is Level.WARNING


@pytest.fixture
def aws() -> Iterator[Target]:
    """AWS in memory, with the queues of a stack; one dead letter, one failed message and one that waits."""
    with mock_aws():
        target = Target("https://a.example/api", "--url", "eu-west-1", access_key=("AKIATESTING", "secret"))
        sqs = target.client("sqs")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
        for name in ("replay_queue_url", "replay_failures_queue_url", "dead_letter_queue_url"):
            sqs.send_message(QueueUrl=urls[name], MessageBody="{}")
        yield Target(target.url, "test", "eu-west-1", access_key=target.access_key, storage=urls)


def test_what_waits_is_counted_and_dead_letters_are_a_problem(aws: Target) -> None:
    findings = {finding.check.removeprefix("queue "): finding for finding in queues(aws)}

    assert levels(findings) == {
        "replay": "ok",
        "replay jobs": "ok",
        "replay failures": "warning",
        "dead letter": "problem",
        "replay jobs dead letter": "ok",
    }
    assert findings["replay"].said == "1 waiting, 0 being worked at"
    assert "retrace replay redrive" in findings["dead letter"].remedy


def test_queues_that_nothing_names_or_that_do_not_exist_are_warnings(aws: Target) -> None:
    gone = {name: f"{url}-gone" for name, url in aws.storage.items()}
    unnamed = Target(aws.url, "test", "eu-west-1", access_key=aws.access_key)
    misplaced = Target(aws.url, "test", "eu-west-1", access_key=aws.access_key, storage=gone)

    for target, told, count in ((unnamed, "--stack", 1), (misplaced, "sqs:GetQueueAttributes", len(QUEUES))):
        findings = list(queues(target))
        assert {finding.level for finding in findings} == {Level.WARNING}
        assert all(told in finding.remedy for finding in findings)
        assert len(findings) == count


def with_digests(aws: Target, *ages_h: float, key: bool = True) -> Finding:
    """What is said of digests in a bucket whose newest are so old."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(len(ages_h)):
        s3.put_object(Bucket="raw", Key=f"digests/000000000/{number + 1:012d}.ndjson", Body=b"")
    s3.put_object(Bucket="raw", Key="digests/000000000/notes", Body=b"")
    named = {"raw_bucket": "raw"} | ({"digest_key_arn": "arn"} if key else {})
    target = Target(aws.url, "test", "eu-west-1", access_key=aws.access_key, storage=named)
    return newest_digest(target, datetime.now(UTC) + timedelta(hours=ages_h[-1] if ages_h else 0))


@pytest.mark.parametrize(("age_h", "level"), [(0, "ok"), (1.4, "ok"), (1.6, "problem"), (48, "problem")])
def test_digests_that_do_not_come_any_more_are_a_problem(aws: Target, age_h: float, level: str) -> None:
    finding = with_digests(aws, 5, age_h)

    assert finding.level.value == level
    assert "The newest, 2, was written" in finding.said
    assert ("runbook" in finding.remedy) == (level == "problem")


@pytest.mark.parametrize("key", [True, False])
def test_a_stage_without_digests_is_a_warning(aws: Target, *, key: bool) -> None:
    finding = with_digests(aws, key=key)

    assert finding.level is Level.WARNING
    assert ("yet" in finding.said) == key
    assert "EnableDigests" in finding.remedy


def test_digests_that_cannot_be_looked_at_are_a_warning(aws: Target) -> None:
    nowhere = Target(aws.url, "test", "eu-west-1", access_key=aws.access_key)
    gone = Target(aws.url, "test", "eu-west-1", access_key=aws.access_key, storage={"raw_bucket": "gone"})

    assert [newest_digest(target, NOW).level for target in (nowhere, gone)] == [Level.WARNING] * 2


def test_credentials_say_whose_they_are_and_never_the_secret(aws: Target) -> None:
    finding = credentials(aws)

    assert finding.level is Level.OK
    assert "arn:aws:sts::" in finding.said
    assert "…TING" in finding.said
    assert "secret" not in finding.said


def test_where_sts_is_not_reached_the_end_of_the_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(
        "https://a.example", "--url", "eu-west-1", access_key=("AKIATESTING", "s"), endpoint_url="http://127.0.0.1:1"
    )
    finding = credentials(target)

    assert (finding.level, "…TING" in finding.said) == (Level.OK, True)
    assert "not reached" in finding.said


def local_stack(directory: Path, api: ScriptedApi) -> None:
    stack = {"api_url": api.url, "region": "eu-west-1", "aws_endpoint_url": "http://127.0.0.1:1"}
    stack |= {"access_key_id": "AKIALOCAL", "secret_access_key": "secret"}
    names = ("raw_bucket", "events_table", "dedupe_table", "replays_table", "aggregates_table")
    (directory / ".retrace").mkdir()
    (directory / ".retrace/local.json").write_text(json.dumps(stack | dict.fromkeys(names, "x")))


@pytest.mark.parametrize(("health", "code"), [((200, {}), Exit.DONE), ((500, problem("broken")), Exit.DIFFERENT)])
def test_the_command_ends_with_1_only_for_problems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, health: Answer, code: Exit
) -> None:
    with serving(routes(HEALTHY | {"GET /health": health})) as api:
        local_stack(tmp_path, api)
        monkeypatch.chdir(tmp_path)
        result = api.run("doctor", "--json")

    findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert exit_code(result) == code
    assert [finding["check"] for finding in findings][:4] == ["target", "credentials", "signature", "clock"]
    assert all(finding["remedy"] for finding in findings if finding["level"] != "ok")


def test_without_a_target_that_is_the_one_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    api = ScriptedApi(routes({}))
    result = api.run("doctor", "--table")

    assert exit_code(result) == Exit.DIFFERENT
    assert "make up" in result.stdout
