"""Requests: signed, repeated where that helps, and problems told in words."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from retrace.client import ATTEMPTS, Client, Proxy, proxy_for
from retrace.problem import Exit, Problem
from retrace.target import Target
from tests.unit.cli.scripted_api import BROKEN, Answer, ScriptedApi, problem, routes, serving

FINE: Answer = (200, {"fine": True})
BUSY: Answer = (503, problem("Storage is busy."))


@contextmanager
def answering(*answers: Answer) -> Iterator[ScriptedApi]:
    """An API that gives these answers to GET /health, the last for good."""
    with serving(routes({"GET /health": list(answers)})) as api:
        yield api


def client_of(api: ScriptedApi, pauses: list[float] | None = None) -> Client:
    target = Target(api.url, "test", "eu-central-1", access_key=("key", "secret"))
    return Client(target, sleep=(pauses if pauses is not None else []).append)


def problem_of(client: Client) -> Problem:
    with pytest.raises(Problem) as raised:
        client.expect("GET", "/health")
    return raised.value


def test_a_request_is_signed_for_the_api_in_its_region() -> None:
    with answering(FINE) as api:
        client_of(api).get("/health")

    signature = api.asked[0].headers["authorization"]
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=key/")
    assert "/eu-central-1/execute-api/aws4_request" in signature


@pytest.mark.parametrize("passing", [BUSY, (429, {}), (502, b""), (504, b"<html>"), BROKEN])
def test_what_passes_is_tried_again(passing: Answer) -> None:
    with answering(passing, passing, FINE) as api:
        assert client_of(api).get("/health") == {"fine": True}

    assert len(api.asked) == 3


def test_retry_after_is_waited_for() -> None:
    pauses: list[float] = []
    with answering(BUSY, FINE) as api:
        api.headers[503] = {"Retry-After": "7"}
        client_of(api, pauses).get("/health")

    assert pauses == [7.0]


@pytest.mark.parametrize("text", ["Mon, 23 Nov 2026 09:00:00 GMT", "-1", "soon", "²"])
def test_a_retry_after_that_is_no_number_is_no_reason_to_wait_long(text: str) -> None:
    pauses: list[float] = []
    with answering(BUSY, FINE) as api:
        api.headers[503] = {"Retry-After": text.encode().decode("latin-1")}
        client_of(api, pauses).get("/health")

    assert len(pauses) == 1
    assert 0 <= pauses[0] <= 0.5


def test_who_asks_for_an_hour_is_told_instead_of_waited_for() -> None:
    pauses: list[float] = []
    with answering(BUSY, FINE) as api:
        api.headers[503] = {"Retry-After": "3600"}
        told = problem_of(client_of(api, pauses))

    assert (pauses, told.exit_code) == ([], Exit.UNREACHABLE)
    assert "Storage is busy." in told.what


def test_trying_ends() -> None:
    with answering(BROKEN) as api:
        told = problem_of(client_of(api))

    assert len(api.asked) == ATTEMPTS
    assert (told.exit_code, api.url in told.what) == (Exit.UNREACHABLE, True)


def test_a_port_without_a_listener_is_reported_soon() -> None:
    with socket() as reserved:  # bound and not listening: connections are refused
        reserved.bind(("127.0.0.1", 0))
        pauses: list[float] = []
        target = Target(f"http://127.0.0.1:{reserved.getsockname()[1]}", "--url", "eu-west-1", access_key=("k", "s"))
        told = problem_of(Client(target, sleep=pauses.append))

    assert len(pauses) == 1
    assert "0x" not in told.what
    assert "make up" in told.remedy  # the key is of a local stack


def test_a_problem_is_told_with_each_field_at_fault() -> None:
    faults = [{"field": "day", "message": "is not a day"}, {"field": "", "message": "is too long"}]
    with answering((400, problem("The query is not valid.") | {"errors": faults})) as api:
        told = problem_of(client_of(api))

    assert told.what.splitlines() == [
        "GET /health: The query is not valid.",
        "  --day is not a day",
        "  request is too long",
    ]
    assert told.exit_code == Exit.REFUSED


@pytest.mark.parametrize("body", [{"message": "Internal server error"}, {"title": "Internal server error"}])
def test_what_api_gateway_says_is_told_as_well(body: dict[str, str]) -> None:
    with answering((500, body)) as api:
        assert "Internal server error" in problem_of(client_of(api)).what


def test_what_is_not_allowed_says_where_to_look() -> None:
    with answering((403, {"message": "I am a teapot"})) as api:
        told = problem_of(client_of(api))

    assert (told.exit_code, "retrace doctor" in told.remedy) == (Exit.REFUSED, True)
    assert "I am a teapot" in told.what


@pytest.mark.parametrize("body", [b"<html>hello", b"[1]", b"", b"\xff"])
def test_an_answer_of_another_server_is_told_apart(body: bytes) -> None:
    with answering((200, body)) as api, pytest.raises(Problem, match="is not Retrace's") as raised:
        client_of(api).get("/health")

    assert raised.value.exit_code == Exit.UNREACHABLE


def test_pages_are_asked_for_as_they_are_needed() -> None:
    pages: list[Answer] = [(200, {"items": [{"n": 1}, {"n": 2}], "cursor": "a"}), (200, {"items": [], "cursor": "b"})]
    pages.append((200, {"items": [{"n": 3}, {"n": 4}], "cursor": None}))
    with serving(routes({"GET /events": list(pages)})) as api:
        found = [item["n"] for item in client_of(api).pages("/events", {"day": "x", "source": None})]
    assert found == [1, 2, 3, 4]
    assert [asked.query for asked in api.asked] == [{"day": "x"}, *({"day": "x", "cursor": c} for c in "ab")]

    with serving(routes({"GET /events": list(pages)})) as api:
        assert len(list(client_of(api).pages("/events", {}, 2))) == 2
    assert len(api.asked) == 1


def test_a_list_of_another_server_is_told_apart() -> None:
    with answering((200, {"data": []})) as api, pytest.raises(Problem, match="is not Retrace's"):
        list(client_of(api).pages("/health", {}))


API = "http://api.example/api"
"""Nobody is there: requests reach a test only through its proxy."""


def through(proxy: str, monkeypatch: pytest.MonkeyPatch, **more: str) -> Client:
    """A client with a proxy in its environment."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"http_proxy": proxy, "https_proxy": proxy, **more}.items():
        monkeypatch.setenv(name, value)
    target = Target(more.get("url", API), "test", "eu-central-1", access_key=("key", "secret"))
    return Client(target, sleep=lambda _: None)


@pytest.mark.parametrize(
    ("named", "authorization"),
    [
        ("{address}", None),
        ("//{address}", None),
        ("http://{address}", None),
        ("http://us%40er:p%3Ass@{address}/", "us@er:p:ss"),
        ("u:é@{address}", "u:é"),
        ("http://user@{address}", "user:"),
    ],
)
def test_a_proxy_is_read_as_boto3_and_curl_read_it(
    monkeypatch: pytest.MonkeyPatch, named: str, authorization: str | None
) -> None:
    with answering(FINE) as api:
        client = through(named.format(address=urlsplit(api.url).netloc), monkeypatch)
        client.get("/health")

    expected = None if authorization is None else f"Basic {b64encode(authorization.encode()).decode()}"
    assert (api.asked[0].headers["host"], api.asked[0].headers.get("proxy-authorization")) == ("api.example", expected)


@pytest.mark.parametrize("spared", [{}, {"no_proxy": "localhost,127.0.0.1"}, {"no_proxy": "*"}])
def test_what_is_on_this_machine_or_in_no_proxy_goes_past_the_proxy(
    monkeypatch: pytest.MonkeyPatch, spared: dict[str, str]
) -> None:
    with answering(FINE) as api:
        assert through("http://127.0.0.1:9", monkeypatch, url=api.url, **spared).get("/health") == {"fine": True}


@pytest.mark.parametrize("no_proxy", ["api.example", ".example", "example,other", "*", "api.example:80"])
def test_no_proxy_names_hosts_and_domains(monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    through("http://127.0.0.1:9", monkeypatch, no_proxy=no_proxy)

    assert proxy_for("http://api.example:80/") is None
    assert (
        proxy_for("http://api.test/") is None
        if no_proxy == "*"
        else proxy_for("http://api.test/") == Proxy("http://127.0.0.1:9")
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    url = f"{scheme}://api.example/api"
    told = problem_of(through("user:secret-word@127.0.0.1:9", monkeypatch, url=url))

    assert (told.exit_code, "through the proxy http://127.0.0.1:9:" in told.what) == (Exit.UNREACHABLE, True)
    assert told.what.endswith("Connection refused")
    assert ("secret-word" in told.what, "NO_PROXY" in told.remedy) == (False, True)


def test_a_proxy_that_wants_credentials_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering((407, b"<html>")) as api:
        told = problem_of(through(urlsplit(api.url).netloc, monkeypatch))

    assert "through the proxy http://127.0.0.1:" in told.what
    assert told.what.endswith("407 Proxy Authentication Required")


@pytest.mark.parametrize("named", ["socks5://127.0.0.1:9", "http://a:port", "http://"])
def test_a_proxy_that_is_not_an_http_proxy_is_refused(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    with pytest.raises(Problem, match="The proxy that http_proxy names is not an HTTP proxy") as raised:
        through(named, monkeypatch)

    assert raised.value.exit_code == Exit.UNREACHABLE


def test_the_storage_of_a_local_stack_is_reached_past_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    through("http://127.0.0.1:9", monkeypatch)
    with serving(lambda _: (200, {"TableNames": []})) as api:
        target = Target(api.url, "test", "eu-central-1", access_key=("k", "s"), endpoint_url=api.url)
        found = target.client("dynamodb", Config(retries={"total_max_attempts": 1})).list_tables()

    assert found["TableNames"] == []
