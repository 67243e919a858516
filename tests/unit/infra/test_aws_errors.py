"""What keeps a command from AWS, or AWS from doing as it is told, is said in words, with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest
from botocore import exceptions

from infra import deploy, destroy
from infra.account import problem_of
from infra.command import exit_status


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody has logged in to AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    boto3.DEFAULT_SESSION = None


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a deployment that must fail, and return what it said."""
    assert deploy.main(arguments) == 1
    return capsys.readouterr().err


def test_no_region(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(capsys, "prod") == ("\nNo AWS region is chosen.\n→ Choose one: AWS_REGION=eu-west-1 make deploy …\n")


def test_no_credentials(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    said = failing(capsys, "prod")
    assert destroy.main(["prod"]) == 1

    assert said == capsys.readouterr().err
    assert said.startswith("\nNo AWS credentials were found.\n→ Log in, as with `aws sso login`")


def test_a_profile_that_there_is_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "shop")

    assert "The config profile (shop) could not be found.\n→ AWS_PROFILE chooses it" in failing(capsys, "prod")


def test_a_refused_connection_is_reported(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)

    assert "AWS cannot be reached: " in failing(capsys, "prod")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Prod"], "A stage cannot be called 'Prod'."),
        ([""], "No stage is given."),
        (["prod", "MaxInFlight"], "'MaxInFlight' is not a parameter."),
        (["prod", "MaxInFlite=5"], "The template has no parameter MaxInFlite."),
        (["prod", "Stage=test"], "Stage is given twice."),
        (["prod", "MaxInFlight=5", "--resources"], "The template has no parameter MaxInFlight."),
    ],
)
def test_what_was_typed_wrong_is_said_before_aws_is_asked(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert failing(capsys, *arguments).startswith(f"\n{said}\n→ ")


def test_destroying_asks_which_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert destroy.main([""]) == 1
    assert capsys.readouterr().err == "\nNo stage is given.\n→ Name it: make destroy STAGE=dev\n"


@pytest.mark.parametrize(
    ("code", "what", "remedy"),
    [
        ("ExpiredToken", "AWS does not accept the credentials", "Log in"),
        ("InvalidClientTokenId", "AWS does not accept the credentials", "Log in"),
        ("AccessDenied", "You may not do this", "docs/deploying.md"),
        ("AccessDeniedException", "You may not do this", "docs/deploying.md"),
        ("LimitExceededException", "AWS refused a call", "Completed work is kept"),
    ],
)
def test_refusals_of_aws(code: str, what: str, remedy: str) -> None:
    error = exceptions.ClientError({"Error": {"Code": code, "Message": "because"}}, "CreateChangeSet")

    problem = problem_of(error)

    assert problem.what.startswith(what)
    assert "because" in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "error",
    [
        exceptions.EndpointConnectionError(endpoint_url="https://sts"),
        exceptions.ConnectTimeoutError(endpoint_url="https://sts"),
        exceptions.ReadTimeoutError(endpoint_url="https://sts"),
        exceptions.ConnectionClosedError(endpoint_url="https://sts"),
        exceptions.HTTPClientError(error="unexpected"),
    ],
)
def test_a_network_that_fails_is_said_to(error: exceptions.BotoCoreError) -> None:
    assert problem_of(error).what == f"AWS cannot be reached: {error}"


def test_what_never_was_sent_is_not_put_down_to_the_network() -> None:
    problem = problem_of(exceptions.ParamValidationError(report="Invalid length for parameter TableName"))

    assert problem.what.startswith("AWS could not be called: Parameter validation failed:")
    assert "TableName" in problem.what


def test_an_interrupt_says_that_cloudformation_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_status(interrupted, *deploy.INTERRUPTED) == 130
    assert capsys.readouterr().err == "\nInterrupted. CloudFormation continues what it has begun.\n"


def test_both_commands_explain_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (deploy, destroy):
        with pytest.raises(SystemExit) as ended:
            command.main(["--help"])
        assert ended.value.code == 0
        assert command.EPILOG in capsys.readouterr().out
