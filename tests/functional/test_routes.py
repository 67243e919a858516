"""What holds of every route."""

from __future__ import annotations

import pytest
from chalice.app import IAMAuthorizer

from chalicelib import wiring
from tests.functional.application import Application


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


def test_what_nobody_foresaw_is_answered_as_a_problem_too(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "find_gaps", lambda: 1 / 0)

    response = application.get("/gaps", entity_id="a", day="2026-11-21")

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "division" not in response.body.decode()
