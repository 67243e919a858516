"""The console's server over real HTTP: who is let in, what is passed on, what every answer says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chalicelib.api.operations import OPERATIONS
from retrace.commands.console import PORT
from retrace.console.admission import HEADER
from retrace.console.application import Console
from retrace.console.forwarding import LONGEST_BODY, NOT_PASSED_ON, is_passed_on
from retrace.problem import Exit, Problem
from tests.unit.cli.console import NOT_LET_IN, Served, console
from tests.unit.cli.scripted_api import BROKEN, Answer, Asked, problem

REPLAY = b'{"entity_id":"a","start_time":"2026-01-01T00:00:00Z","end_time":"2026-01-02T00:00:00Z"}'


def answered(asked: Asked) -> Answer:
    if asked.call == "GET /events/gone":
        return 404, problem("There is no such event.")
    return 200, {"items": [], "cursor": None, "call": asked.call, "query": asked.query, "sent": asked.body}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with console(answered) as found:
        yield found


def test_the_link_holds_its_token_where_no_server_is_sent_it(served: Served) -> None:
    address, _, rest = served.console.link("/entity?id=a%20b").partition("#")

    assert address == f"{served.console.url}entity?id=a%20b"
    assert rest == f"token={served.console.token}"


@pytest.mark.parametrize("path", ["/replays", "/replays?token=guessed", "//evil.example/", "/api/health"])
def test_no_answer_sets_a_cookie_which_other_ports_would_be_sent_or_leads_elsewhere(served: Served, path: str) -> None:
    answer = served.ask("GET", path, served.let_in)

    assert answer.status == 200
    assert not {"set-cookie", "location"} & {name.lower() for name in answer.headers}


def test_an_address_that_was_pasted_is_a_view(served: Served) -> None:
    pasted = "http://127.0.0.1:4630/entity?id=a&day=2025-11-28#token=of-another-start"

    assert served.console.link(pasted) == served.console.link("entity?id=a&day=2025-11-28")


def test_two_starts_have_two_tokens() -> None:
    with console(answered) as one, console(answered) as other:
        assert one.console.token != other.console.token
        assert other.ask("GET", "/api/health", one.let_in).status == 401


@pytest.mark.parametrize(
    "path", ["/api/health", "/console/about", "/console/pictures?entity_id=a", "/console/events/a"]
)
def test_nothing_but_the_page_is_answered_without_the_token(served: Served, path: str) -> None:
    before = len(served.api.asked)

    assert served.ask("GET", path, NOT_LET_IN).status == 401
    assert len(served.api.asked) == before


def test_the_page_and_its_files_come_to_everybody_and_hold_nothing_of_what_is_stored(served: Served) -> None:
    assert b'<main id="view"' in served.ask("GET", "/entity?id=depot-lyon", {}).data
    assert b"depot-lyon" not in served.ask("GET", "/entity?id=depot-lyon", {}).data
    assert served.ask("GET", "/static/main.js", {}).headers["Content-Type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {HEADER: ""},
    ],
)
def test_a_forged_request_of_another_page_starts_no_replay(served: Served, headers: dict[str, str]) -> None:
    """Even with the token, which no other page has, and what a form could not send."""
    before = len(served.api.asked)
    forged = {**served.let_in, "Content-Type": "text/plain", "Idempotency-Key": "k", **headers}

    assert served.ask("POST", "/api/replay", forged, REPLAY).status == 403
    assert len(served.api.asked) == before


def test_a_form_cannot_post_for_want_of_the_header(served: Served) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert served.ask("POST", "/api/replay", form, b"a=b").status == 403


def test_a_preflight_of_another_origin_is_not_granted(served: Served) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = served.ask("OPTIONS", "/api/replay", asked)

    assert answer.status == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/health"])
def test_a_name_that_dns_was_made_to_lead_here_is_not_answered(served: Served, path: str) -> None:
    rebound = {**served.let_in, "Host": f"evil.example:{served.console.port}"}
    answer = served.ask("GET", path, rebound)

    assert answer.status == 421
    assert b"<main" not in answer.data


def test_every_answer_says_what_a_page_may_do(served: Served) -> None:
    for answer in (
        served.ask("GET", "/", {}),
        served.ask("GET", "/", {"Host": "evil.example"}),
        served.page("/api/health"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_request_is_passed_on_signed_and_its_answer_comes_back(served: Served) -> None:
    answer = served.page("/api/events?entity_id=a%2Fb&limit=2")

    assert answer.json()["query"] == {"entity_id": "a/b", "limit": "2"}
    assert served.api.asked[-1].headers["authorization"].startswith("AWS4-HMAC-SHA256")
    assert HEADER not in served.api.asked[-1].headers


def test_a_refusal_of_the_api_comes_back_as_it_is(served: Served) -> None:
    answer = served.page("/api/events/gone")

    assert (answer.status, answer.json()["detail"]) == (404, "There is no such event.")


def test_no_answer_holds_a_key_or_the_signature(served: Served) -> None:
    answers = [served.page(path) for path in ("/console/about", "/api/health", "/")]

    assert not any(b"secret" in answer.data or b"AWS4" in answer.data for answer in answers)
    assert not any("authorization" in {name.lower() for name in answer.headers} for answer in answers)


def test_all_documented_routes_but_ingest_are_passed_on_and_no_other() -> None:
    concrete = {(method, path): path.replace("{", "").replace("}", "") for method, path in OPERATIONS}
    passed = {route for route, path in concrete.items() if is_passed_on(route[0], path)}

    assert OPERATIONS.keys() - passed == NOT_PASSED_ON == {("POST", "/ingest")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ingest"),
        ("DELETE", "/replay/1"),
        ("GET", "/replay/1/cancel"),
        ("GET", "/events/../raw"),
        ("GET", "/events/%2e%2e/raw"),
        ("GET", "/events/./raw"),
        ("GET", "/events/a/b/raw"),
        ("GET", "//evil.example/health"),
        ("GET", "/healthy"),
        ("GET", "/"),
    ],
)
def test_what_is_no_route_is_not_passed_on(method: str, path: str) -> None:
    assert not is_passed_on(method, path)


def test_a_replay_needs_a_key_so_that_sending_it_again_starts_no_second(served: Served) -> None:
    without = served.page("/api/replay", "POST", REPLAY, Content_Type="application/json")
    with_key = served.page("/api/replay", "POST", REPLAY, Content_Type="application/json", Idempotency_Key="k-1")

    assert without.status == 400
    assert with_key.json()["sent"] == json.loads(REPLAY)
    assert served.api.asked[-1].headers["idempotency-key"] == "k-1"


def test_a_body_that_is_too_long_is_not_passed_on(served: Served) -> None:
    before = len(served.api.asked)
    answer = served.page("/api/rejected/2026-11-23.ab/retry", "POST", b" " * (LONGEST_BODY + 1))

    assert answer.status == 413
    assert len(served.api.asked) == before


def test_an_api_that_does_not_answer_is_told_with_a_remedy() -> None:
    with console(lambda _: BROKEN) as served:
        answer = served.page("/api/health")

    assert answer.status == 502
    assert answer.json()["remedy"]


def test_a_port_that_is_taken_is_told(served: Served) -> None:
    with pytest.raises(Problem) as told:
        Console(served.console.client, served.console.port, lambda: None)  # type: ignore[arg-type, return-value]

    assert told.value.exit_code is Exit.USAGE
    assert "--port" in told.value.remedy


def test_links_of_colleagues_lead_to_the_same_port() -> None:
    assert PORT == 4630
