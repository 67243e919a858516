"""What stands between Chalice and the emulator changes only what the emulator would not understand."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest

from embedded.gateway import _adapted, _completed, main
from embedded.layout import Layout


def test_without_an_embedded_aws_no_command_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["touch", str(tmp_path / "made")], Layout(tmp_path))

    assert status == 1
    assert "→ Start it with: make up" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_without_a_command_an_example_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], Layout(tmp_path)) == 2
    assert "→ python -m embedded.gateway make chalice STAGE=" in capsys.readouterr().err


def test_a_policy_for_one_message_is_one_for_ten() -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn"}]}
    body = urlencode({"Action": "PutRolePolicy", "PolicyDocument": json.dumps(policy)}).encode()

    form = parse_qs(_adapted("POST", body).decode())

    [statement] = json.loads(form["PolicyDocument"][0])["Statement"]
    assert statement["Action"] == ["sqs:SendMessage", "sqs:SendMessageBatch"]
    assert form["Action"] == ["PutRolePolicy"]


def test_other_calls_stay_as_they_are() -> None:
    trust = urlencode({"Action": "CreateRole", "AssumeRolePolicyDocument": "{}"}).encode()

    assert _adapted("POST", trust) == trust
    assert _adapted("PATCH", b'{"patchOperations": [1]}') == b'{"patchOperations": [1]}'


def test_an_api_tells_its_kind_of_endpoint() -> None:
    told = {"id": "a", "endpointConfiguration": {"types": ["EDGE"]}}

    assert json.loads(_completed(b'{"id": "a"}'))["endpointConfiguration"] == {"types": ["REGIONAL"]}
    assert json.loads(_completed(json.dumps(told).encode())) == told
