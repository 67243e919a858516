"""Problems say what they are in words of the contract, whichever Python runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from chalice.app import Response

from chalicelib.api.middleware import as_problem_response
from chalicelib.api.openapi import document
from chalicelib.core import errors
from chalicelib.core.errors import TITLES, problem_type

ROOT = Path(__file__).parents[3]
OF_THE_CONSOLE = {502}


@pytest.mark.parametrize(
    ("error", "status", "kind", "title"),
    [
        (errors.InvalidRequest("x"), 400, "bad-request", "Bad Request"),
        (errors.Unauthenticated("x", scheme="AWS4-HMAC-SHA256"), 401, "unauthorized", "Unauthorized"),
        (errors.NotFound("x"), 404, "not-found", "Not Found"),
        (errors.Conflict("x"), 409, "conflict", "Conflict"),
        (errors.RequestTooLarge("x"), 413, "content-too-large", "Content Too Large"),
        (errors.UnsupportedMediaType("x"), 415, "unsupported-media-type", "Unsupported Media Type"),
        (errors.StorageRefused("x"), 500, "internal-server-error", "Internal Server Error"),
        (errors.TryAgain("x"), 503, "service-unavailable", "Service Unavailable"),
    ],
)
def test_each_problem_has_its_type_and_title(error: errors.RetraceError, status: int, kind: str, title: str) -> None:
    @as_problem_response
    def view() -> Response:
        raise error

    problem = json.loads(view().body)

    assert (problem["status"], problem["type"], problem["title"]) == (status, f"urn:retrace:problem:{kind}", title)


def test_every_status_of_a_described_problem_has_a_title_and_no_other() -> None:
    described = {
        int(status)
        for methods in document()["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if "application/problem+json" in answer.get("content", {})
    }

    assert described | OF_THE_CONSOLE == TITLES.keys()


def test_nothing_that_is_answered_takes_the_interpreters_words() -> None:
    sources = [*ROOT.glob("chalicelib/**/*.py"), *ROOT.glob("retrace/**/*.py"), ROOT / "app.py"]

    assert not [path.name for path in sources if re.search(r"\.phrase\b", path.read_text())]


def test_the_api_page_lists_every_problem_of_the_api() -> None:
    section = (ROOT / "docs/api.md").read_text().split("\n## Problems\n")[1].split("\n## ")[0]
    [example] = re.findall(r"urn:retrace:problem:[a-z]+-[a-z]+", section)
    [statuses] = re.findall(r"those of RFC 9110 for ([^.]+)\.", section.replace("\n", " "))

    assert set(map(int, re.findall(r"\d{3}", statuses))) == TITLES.keys() - OF_THE_CONSOLE
    assert example == problem_type(400)
    assert all(problem_type(status) == _type_of(title) for status, title in TITLES.items())


def _type_of(title: str) -> str:
    """The type of a problem as the API page forms it from the title."""
    return f"urn:retrace:problem:{title.lower().replace(' ', '-')}"
