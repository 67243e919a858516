"""POST /ingest where webhooks are taken: signed with the secret, or refused with nothing stored."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping

import boto3
import pytest
from chalice.test import HTTPResponse

from chalicelib.core.timestamps import shifted
from chalicelib.ingest.authentication import secret_of, signature
from chalicelib.runtime import event_wiring, system
from tests.functional.application import JSON, Application
from tests.functional.events import as_json, paid
from tests.functional.storage import Storage

BODY = as_json(paid())
FIRST, SECOND = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
MINUTE_NS = 60 * 1_000_000_000


def signed(body: bytes, secret: str = FIRST, *, seconds_ago: int = 0) -> dict[str, str]:
    """The headers of a webhook."""
    at = str(int(time.time()) - seconds_ago)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": at,
        "webhook-signature": signature("msg_1", at, body, secret_of(secret)),
    }


def posted(application: Application, headers: Mapping[str, str], body: bytes = BODY) -> HTTPResponse:
    """The answer to a request that need not be signed."""
    return application.call("POST", "/ingest", {"content-type": JSON, **headers}, body)


@pytest.fixture
def secret_id(aws: None) -> str:
    """A webhook secret."""
    return boto3.client("secretsmanager").create_secret(Name="webhooks", SecretString=FIRST)["ARN"]


@pytest.fixture(autouse=True)
def takes_webhooks(secret_id: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A deployment that takes webhooks."""
    monkeypatch.setenv("WEBHOOK_SECRET_ARN", secret_id)
    _forget()
    yield
    _forget()


def _forget() -> None:
    """As in a function that begins."""
    for remembered in (system.settings, system.secretsmanager, event_wiring.webhook_secrets):
        remembered.cache_clear()


def test_a_signed_webhook_is_taken_in_once(application: Application, storage: Storage) -> None:
    answers = [posted(application, signed(BODY)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert len(storage.index()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY + b" "),
        signed(BODY, SECOND),
        signed(BODY, seconds_ago=3_600),
        signed(BODY) | {"ce-specversion": "1.0"},
    ],
)
def test_without_a_good_signature_nothing_is_stored(
    application: Application, storage: Storage, headers: dict[str, str]
) -> None:
    answer = posted(application, headers)

    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "StandardWebhooks"
    assert answer.json_body["errors"]
    assert storage.index() == []
    assert list(storage.objects()) == []


def test_the_signature_is_looked_at_before_the_body(application: Application) -> None:
    assert posted(application, {}, b"{").status_code == 401
    assert posted(application, signed(b"{"), b"{").status_code == 400


def test_a_recorded_webhook_makes_one_quarantine_object_however_its_form_and_encoding_are_spelled(
    application: Application, storage: Storage
) -> None:
    spellings = [
        {"content-type": content_type, "content-encoding": encoding}
        for content_type in (JSON, "Application/JSON", f"{JSON}; charset=utf-8", f"{JSON}; a=1", f"{JSON};a=2")
        for encoding in ("gzip", "GZIP", "x-gzip", " gzip ")
    ]

    answers = [posted(application, signed(BODY) | spelling) for spelling in spellings]

    assert {answer.status_code for answer in answers} == {400}
    [kept] = {answer.json_body["rejected_id"] for answer in answers}
    assert len(list(storage.objects())) == 1
    assert storage.quarantined(kept)["body"] == BODY.decode()


def test_a_secret_is_replaced_while_functions_run(
    application: Application, secret_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert posted(application, signed(BODY)).status_code == 201
    boto3.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=f"{SECOND}\n{FIRST}")
    assert posted(application, signed(BODY, SECOND)).status_code == 401

    in_a_minute = shifted(system.now(), MINUTE_NS)
    monkeypatch.setattr(event_wiring.webhook_secrets(), "now", lambda: in_a_minute)

    assert [posted(application, signed(BODY, each)).status_code for each in (SECOND, FIRST)] == [200, 200]


@pytest.mark.parametrize("text", [" ", "not a secret", f"{FIRST} whsec_?"])
def test_an_invalid_secret_admits_no_request(application: Application, secret_id: str, text: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=text)

    answer = posted(application, signed(BODY))

    assert answer.status_code == 500
    assert "webhook secret" in answer.json_body["detail"]


def test_no_other_route_asks_for_a_signature(application: Application) -> None:
    assert application.get("/health").status_code == 200
    assert application.get("/events", entity_id="order-1").status_code == 200


def test_in_lambda_a_signed_webhook_needs_no_identity(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "retrace-prod-IngestHandler")

    assert posted(application, signed(BODY)).status_code == 201
    assert posted(application, {}).status_code == 401


def test_a_webhook_signature_opens_no_other_route_in_lambda(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "retrace-prod-IngestHandler")

    answer = application.call("POST", "/rejected/1/retry", signed(BODY), BODY)

    assert answer.status_code == 401


def test_while_webhooks_are_turned_off_the_function_takes_nothing_unsigned(
    application: Application, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation takes the secret from the function before the API asks for IAM again."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "retrace-prod-IngestHandler")
    monkeypatch.delenv("WEBHOOK_SECRET_ARN")
    _forget()

    assert [posted(application, headers).status_code for headers in ({}, signed(BODY))] == [401, 401]
    assert list(storage.objects()) == []


def test_while_webhooks_are_turned_on_a_request_that_iam_let_in_is_taken(application: Application) -> None:
    """CloudFormation gives the function the secret before the API stops asking for IAM."""
    request = {
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": "/ingest",
            "identity": {"userArn": "arn:aws:iam::123456789012:user/till"},
        },
        "headers": {"content-type": JSON},
        "multiValueHeaders": {"content-type": [JSON]},
        "pathParameters": None,
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "body": BODY.decode(),
        "isBase64Encoded": False,
    }

    assert application.handed_over(request)["statusCode"] == 201
