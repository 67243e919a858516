"""What a user sees if the API refuses a request: the cause, the options at fault, and one remedy."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from chalicelib.api.openapi import document
from retrace.command_line import app
from retrace.problem import Exit
from tests.unit.cli.scripted_api import ScriptedApi, exit_code, problem, routes, said, serving

LOCAL = {"api_url": "http://127.0.0.1:4566/api", "region": "eu-west-1", "aws_endpoint_url": "http://127.0.0.1:4566"}
LOCAL |= {"access_key_id": "AKIALOCAL", "secret_access_key": "secret"}

SIGNATURE = "The request signature we calculated does not match the signature you provided. Check your AWS Secret …"
INVOKE = "User: arn:aws:iam::1:user/ana is not authorized to perform: execute-api:Invoke on resource: arn:…"
OTHER = "User: arn:aws:iam::1:user/ana is not authorized to perform: apigateway:GET because no policy allows it"

CAUSES = {
    "secret": (SIGNATURE, "The secret access key is wrong", "Correct AWS_SECRET_ACCESS_KEY"),
    "region": (
        "Credential should be scoped to a valid region, not 'us-east-1'. ",
        "The region that requests are signed for is not that of the API",
        "--region",
    ),
    "key": ("The security token included in the request is invalid.", "does not know the access key", "aws sso login"),
    "session": ("The security token included in the request is expired", "credentials have expired", "aws sso login"),
    "clock": ("Signature expired: 20261121T0930Z is now earlier than …", "The clock of this machine is wrong", "NTP"),
    "path": ("Missing Authentication Token", "The path of the URL is wrong", "ends with the stage"),
    "elsewhere": (OTHER, "The path of the URL is wrong", "ends with the stage"),
    "stage": ("Forbidden", "The URL has a wrong stage", "ends with the stage"),
    "right": (INVOKE, "The credentials lack the right to call this route", "attach the policy"),
}
"""What API Gateway says of each, what it means, and what to do. The emulator calls a wrong region a missing right."""


def told(answers: Mapping[str, Any], *words: str) -> tuple[int, str]:
    with serving(routes(answers)) as api:
        result = api.run(*words)
    return exit_code(result), said(result)


@pytest.mark.parametrize("why", CAUSES)
def test_what_is_wrong_about_a_request_that_is_not_allowed_is_told_apart(why: str) -> None:
    message, cause, remedy = CAUSES[why]
    code, text = told({"GET /sources": (403, {"message": message})}, "sources")

    assert code == Exit.REFUSED
    assert cause in text.splitlines()[0]
    assert remedy in text.splitlines()[-1]
    assert {each for _, each, _ in CAUSES.values() if each in text} == {cause}


def test_a_proxy_that_denies_is_not_taken_for_the_api() -> None:
    code, text = told({"GET /sources": (403, b"<html>Blocked by policy</html>")}, "sources")

    assert code == Exit.UNREACHABLE
    assert "is not Retrace's: <html>Blocked" in text


def test_faults_are_told_by_the_names_of_options() -> None:
    faults = [
        {"field": "start_time", "message": "must lie before end_time, which is excluded"},
        {"field": "include.event_types.0", "message": "is too long"},
        {"field": "rate", "message": "is too low: /rate and /order/entity_id are paths"},
    ]
    answers = {"POST /replay": (400, problem("The replay request is not valid.", errors=faults))}
    code, text = told(answers, "replay", "create", "e", "--since", "2h", "--until", "now", "--yes")

    assert code == Exit.REFUSED
    assert "--since must lie before --until, which is excluded" in text
    assert "--include-type is too long" in text
    assert "--rate is too low: /rate and /order/entity_id are paths" in text
    assert text.splitlines()[-1] == "Correct --since, --include-type, --rate."


def requested() -> set[str]:
    """What requests have, by the OpenAPI document: parameters of queries, and members of the body of a replay."""
    told = document()
    operations = [operation for path in told["paths"].values() for operation in path.values()]
    parameters = [one for operation in operations for one in operation.get("parameters", []) if one["in"] == "query"]
    body = told["paths"]["/replay"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = told["components"]["schemas"][body["$ref"].rpartition("/")[2]] if "$ref" in body else body
    return {str(one["name"]) for one in parameters} | set(schema["properties"])


NO_OPTIONS = {"confirm", "cursor", "definition_sha256", "events", "results", "strict", "include", "exclude"}
"""What commands fill in themselves, and filters, whose members are options."""


@pytest.mark.parametrize("field", sorted(requested() - NO_OPTIONS))
def test_every_field_of_a_request_is_told_as_an_option_or_argument(field: str) -> None:
    faults = [{"field": f"{field}.0", "message": "is wrong"}]
    answers = {"POST /replay": (400, problem("The replay request is not valid.", errors=faults))}
    _, text = told(answers, "replay", "create", "e", "--since", "2h", "--until", "now", "--yes")

    [option] = re.findall(r"^Correct (.*)\.$", text, re.MULTILINE)
    assert option in KNOWN


def names_of(command: Any) -> set[str]:
    """The options and arguments of a command, and of those below it."""
    own = {name for one in command.params for name in (*one.opts, (one.metavar or one.name or "").upper())}
    return own.union(*map(names_of, getattr(command, "commands", {}).values()))


KNOWN = names_of(get_command(app))


@pytest.mark.parametrize(
    ("api", "told_as"),
    [
        ("names no metric. GET /metrics lists them", "names no metric. `retrace metrics list` lists them"),
        ("is r1, which names no replay. GET /replay lists them", "names no replay. `retrace replay list` lists them"),
        ("is still sending. GET /replay/0199-b0 shows it.", "is still sending. `retrace replay get 0199-b0` shows it."),
        ("has failed. Use POST /replay/r1/redrive", "has failed. Use `retrace replay redrive r1`"),
        ("no. GET /stale lists what aggregates lack", "no. `retrace stale` lists what aggregates lack"),
        ("no. GET /destinations lists all", "no. `retrace destinations` lists all"),
        ("GET /metrics/{name}/values has them", "GET /metrics/{name}/values has them"),
    ],
)
def test_routes_in_a_refusal_are_told_as_commands(api: str, told_as: str) -> None:
    answers = {"POST /replay/r1/redrive": (409, problem(api, errors=[{"field": "of", "message": api}]))}
    _, text = told(answers, "replay", "redrive", "r1")

    refused, fault, remedy = text.splitlines()
    assert told_as in refused
    assert told_as in fault
    assert remedy == "Correct --of."


def test_a_refusal_of_no_option_ends_with_what_the_api_says() -> None:
    code, text = told({"POST /replay/r1/redrive": (409, problem("It is being cancelled."))}, "replay", "redrive", "r1")

    assert code == Exit.REFUSED
    assert text.splitlines() == ["POST /replay/r1/redrive: It is being cancelled."]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("replay get r1", "GET /replay/r1"),
        ("replay cancel r1", "POST /replay/r1/cancel"),
        ("replay redrive r1", "POST /replay/r1/redrive"),
        ("rejected get 2026-11-22.1a611613", "GET /rejected/2026-11-22.1a611613"),
        ("aggregates inputs e 2026-11-22 r1", "GET /aggregates/inputs"),
        ("aggregates diff e 2026-11-22 r1 r2", "GET /aggregates/diff"),
    ],
)
def test_exit_codes_tell_what_is_not_found_from_what_is_refused(words: str, call: str) -> None:
    missing, _ = told({call: (404, problem("There is none."))}, *words.split())
    refused, _ = told({call: (400, problem("It is not valid."))}, *words.split())

    assert (missing, refused) == (Exit.NOT_FOUND, Exit.REFUSED)


@pytest.mark.parametrize(
    ("words", "listing"),
    [
        ("replay get r1", "retrace replay list"),
        ("rejected get 2026-11-22.1a611613", "retrace rejected list"),
        ("metrics show revenue", "retrace metrics list"),
    ],
)
def test_what_is_not_found_is_told_with_the_command_that_lists_it(words: str, listing: str) -> None:
    _, text = told({}, *words.split())

    assert text.endswith(f"Check the id, and that it is of this deployment. Run `{listing}` to list all.")


def test_a_url_that_is_left_over_from_a_stack_that_is_gone_is_told() -> None:
    gone = ScriptedApi(routes({}), "http://127.0.0.1:9/api").run("sources")

    assert exit_code(gone) == Exit.UNREACHABLE
    assert said(gone).endswith("left over from a local stack that is gone. Run: unset RETRACE_URL, then make up")


@pytest.mark.parametrize("unset", ["AWS_ACCESS_KEY_ID", "AWS_REGION"])
def test_a_left_over_url_is_told_also_without_credentials_or_a_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in environment.keys() - {unset}:
        monkeypatch.setenv(name, environment[name])
    with serving(routes({})) as api:
        monkeypatch.setenv("RETRACE_URL", api.url)
        there = CliRunner().invoke(app, ["sources"])
    monkeypatch.setenv("RETRACE_URL", "http://127.0.0.1:9/api")
    gone = CliRunner().invoke(app, ["sources"])

    assert said(gone).endswith("left over from a local stack that is gone. Run: unset RETRACE_URL, then make up")
    assert said(there).endswith("Run it in the directory of that stack's `make up`, where its key is.")


def test_a_url_of_another_stack_than_that_of_make_up_here_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".retrace").mkdir()
    (tmp_path / ".retrace/local.json").write_text(json.dumps(LOCAL))
    monkeypatch.chdir(tmp_path)
    with serving(routes({"GET /sources": (403, {"message": "Missing Authentication Token"})})) as api:
        other, chosen = api.run("sources"), api.run("sources", "--url", api.url)

    assert f"is not the stack of `make up` here, which is {LOCAL['api_url']}" in said(other)
    assert "RETRACE_URL" not in said(chosen)
