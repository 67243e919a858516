"""What holds of every route."""

from __future__ import annotations

from typing import Any

import pytest
from chalice.app import IAMAuthorizer

from chalicelib.api.operations import OPERATIONS
from chalicelib.core.version import MAJOR_VERSION
from chalicelib.runtime import query_wiring
from tests.functional.application import Application
from tests.functional.events import Json, as_json, paid
from tests.functional.storage import Storage

_SIGNER = {"userArn": "arn:aws:iam::123456789012:user/till"}


def handed_over(application: Application, method: str, path: str, **context: Any) -> Json:
    """The answer to a request as API Gateway hands it over to a function."""
    names = {part[1:-1]: "1" for part in path.split("/") if part.startswith("{")}
    return application.handed_over(
        {
            "requestContext": {"httpMethod": method, "resourcePath": path, **context},
            "headers": {"content-type": "application/json"},
            "multiValueHeaders": {"content-type": ["application/json"]},
            "pathParameters": names or None,
            "multiValueQueryStringParameters": None,
            "stageVariables": None,
            "body": as_json(paid()).decode() if path == "/ingest" else "",
            "isBase64Encoded": False,
        }
    )


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is a Lambda function's."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "retrace-prod-IngestHandler")


def test_no_route_is_open(application: Application) -> None:
    from app import app  # noqa: PLC0415  # not before the environment stands

    authorizers = {
        (path, method): type(route.authorizer)
        for path, methods in app.routes.items()
        for method, route in methods.items()
    }
    assert len(authorizers) >= 7
    assert set(authorizers.values()) == {IAMAuthorizer}


def test_health_is_answered_without_asking_aws(application: Application) -> None:
    response = application.get("/health")

    assert (response.status_code, response.json_body) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health", "/aggregates", "/events/1", "/events/1/raw", "/replay/1"])
def test_what_is_only_asked_cannot_be_posted(application: Application, path: str) -> None:
    assert application.client.http.post(path, body=b"{}").status_code == 405


def test_events_are_not_taken_by_get(application: Application) -> None:
    assert application.client.http.get("/ingest").status_code == 405


@pytest.mark.parametrize("path", ["/", "/event", "/ingest/1", "/health/1"])
def test_there_is_nothing_elsewhere(application: Application, path: str) -> None:
    assert application.client.http.get(path).status_code == 403


def test_an_unexpected_error_is_answered_as_a_problem_too(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_wiring, "find_gaps", lambda: 1 / 0)

    response = application.get("/gaps", entity_id="a", day="2026-11-21")

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "division" not in response.body.decode()


@pytest.mark.usefixtures("in_lambda")
def test_in_lambda_no_route_answers_a_request_without_an_identity(application: Application, storage: Storage) -> None:
    unsigned = {"userArn": None, "sourceIp": "192.0.2.1"}
    answers = {route: handed_over(application, *route, identity=unsigned) for route in OPERATIONS}

    assert {answer["statusCode"] for answer in answers.values()} == {401}
    assert answers["POST", "/ingest"]["headers"] == {
        "Content-Type": "application/problem+json",
        "WWW-Authenticate": "AWS4-HMAC-SHA256",
        "Retrace-Version": MAJOR_VERSION,
    }
    assert list(storage.objects()) == []


@pytest.mark.usefixtures("in_lambda")
@pytest.mark.parametrize("context", [{}, {"identity": None}, {"identity": {"userArn": ""}}])
def test_in_lambda_a_context_without_a_signer_is_not_an_identity(application: Application, context: Json) -> None:
    assert handed_over(application, "GET", "/health", **context)["statusCode"] == 401


@pytest.mark.usefixtures("in_lambda")
def test_in_lambda_no_unsigned_request_learns_which_methods_a_route_has(application: Application) -> None:
    assert handed_over(application, "DELETE", "/health")["statusCode"] == 401


@pytest.mark.usefixtures("in_lambda")
def test_in_lambda_a_request_with_an_identity_is_answered(application: Application) -> None:
    assert handed_over(application, "GET", "/health", identity=_SIGNER)["statusCode"] == 200
    assert handed_over(application, "POST", "/ingest", identity=_SIGNER)["statusCode"] == 201
