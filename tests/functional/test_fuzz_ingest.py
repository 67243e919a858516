"""Bad input to every route that takes a body: the answer is orderly, and what is kept is what was sent.

A fixed set of requests in `make test`; `make soak` makes more, others each time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests import conformance
from tests.functional import conftest
from tests.functional.application import Application
from tests.functional.emulators import Emulator
from tests.functional.events import Json
from tests.functional.fuzzing import Headers, Sent, replays, requests
from tests.functional.storage import Storage, assert_sound
from tests.sizes import times

pytestmark = pytest.mark.hypothesis

FUZZED = settings(
    max_examples=times(80),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
TAKEN = {200, 201}
REFUSED = {400, 409, 413, 415}
SPACE = b" \t\r\n"


def answered(application: Application, sent: Sent, route: str = "/ingest", **parameters: str) -> tuple[int, str, Any]:
    """The answer to a request, which fits the OpenAPI document: status, content type, JSON."""
    answer = application.handed_over(sent.lambda_event(route, **parameters))
    headers = {**answer["headers"], **{name: each[0] for name, each in answer.get("multiValueHeaders", {}).items()}}
    content_type, status = headers["Content-Type"], answer["statusCode"]
    body = base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
    assert conformance.faults("POST", route.format(**parameters), status, content_type, body) == []
    return status, content_type, json.loads(body)


def kept_bytes(kept: Json) -> bytes:
    """The body of what is in quarantine."""
    return kept["body"].encode() if "body" in kept else base64.b64decode(kept["body_base64"])


def one_line(text: bytes) -> bytes:
    """A text as it is stored: a break between tokens is a blank."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


def assert_in_order(pieces: Sequence[bytes], whole: bytes) -> None:
    """Each piece stands in the whole, after the one before."""
    at = 0
    for piece in pieces:
        found = whole.find(piece, at)
        assert found >= 0, (piece, whole[at:])
        at = found + len(piece)


def is_binary(sent: Sent) -> bool:
    """Whether the request is read as a CloudEvent in binary mode, whose text is not its body."""
    content_type = next((value for name, value in sent.headers if name == "content-type"), "")
    headed = any(name.lower().startswith("ce-") for name, _ in sent.headers)
    return headed and not content_type.strip().lower().startswith("application/cloudevents")


def held(application: Application, storage: Storage, result: Json) -> bytes:
    """What is kept of an event, wherever it is."""
    if "rejected_id" not in result:
        return application.get(f"/events/{result['event_id']}/raw").body
    kept = storage.quarantined(result["rejected_id"])
    assert kept["errors"] == result["errors"]
    assert kept["status"] == result["status"]
    assert application.get(f"/rejected/{result['rejected_id']}").status_code == 200, "it hashes to its id"
    return kept_bytes(kept)


def assert_kept_as_sent(application: Application, storage: Storage, sent: Sent, results: Sequence[Json]) -> None:
    """Each event is held as it was sent: what was accepted by its raw text, what was refused in quarantine."""
    texts = [held(application, storage, each) for each in results if each["status"] != "DUPLICATE"]
    if is_binary(sent):
        if [each["status"] for each in results] == ["REJECTED"]:
            assert texts in ([sent.plain], [sent.body])
    elif len(results) == 1 and "body" in {fault["field"] for fault in results[0].get("errors", ())}:
        assert texts in ([sent.plain], [sent.body], *([line.rstrip(b"\r")] for line in sent.plain.split(b"\n")))
    elif len(results) == 1 and texts and texts != [sent.body]:
        assert one_line(texts[0]).strip(SPACE) in one_line(sent.plain)
    elif texts != [sent.body]:
        assert_in_order([one_line(text) for text in texts], one_line(sent.plain))


def results_of(answer: Json) -> list[Json]:
    """The result of each event, or none where the request was refused as a whole."""
    if "results" in answer:
        results: list[Json] = answer["results"]
        return results
    return [answer] if isinstance(answer["status"], str) else []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("content-type", "\ud800")], 415),
        ([("content-type", "application/json;charset=\ud800")], 415),
        ([("content-type", "application/json"), ("content-encoding", "\ud800")], 415),
        ([("content-type", "application/json"), ("ce-\ud800", "1")], 400),
        ([("content-type", "a/\ud800"), ("ce-id", "\ud800")], 400),
        ([("content-type", "application/json"), ("content-encoding", "gzip"), ("ce-x", "\ud800")], 400),
    ],
)
def test_headers_with_lone_surrogates_are_answered_like_others_that_are_wrong(
    application: Application, storage: Storage, headers: Headers, expected: int
) -> None:
    status, _, answer = answered(application, Sent(b"{}", b"{}", headers))

    assert status == expected
    for result in results_of(answer):
        assert held(application, storage, result) == b"{}"


def test_a_path_with_a_lone_surrogate_is_answered_404(application: Application) -> None:
    asked = Sent(b"", b"", []).lambda_event("/events/{event_id}", event_id="\ud800")
    asked["requestContext"]["httpMethod"] = asked["httpMethod"] = "GET"
    answer = application.handed_over(asked)

    assert answer["statusCode"] == 404
    assert json.loads(answer["body"].encode())["detail"] == (
        "There is no event ?. GET /events lists those of an entity, or of a source and type."
    )


@pytest.fixture
def swept(application: Application, emulator: Emulator, resources: dict[str, Any]) -> Callable[[], None]:
    """Makes storage empty: moto copies a table for each transaction, so it had better be small."""

    def swept() -> None:
        conftest.sweep(emulator, resources)

    return swept


def test_whatever_is_sent_is_answered_in_order_and_kept_as_it_was_sent(
    application: Application, storage: Storage, swept: Callable[[], None]
) -> None:
    @FUZZED
    @given(sent=requests())
    def holds(sent: Sent) -> None:
        swept()
        status, content_type, answer = answered(application, sent)

        assert status in TAKEN | REFUSED
        problem = status in REFUSED and "results" not in answer
        assert content_type == ("application/problem+json" if problem else "application/json")
        results = results_of(answer)
        accepted = {each["event_id"] for each in results if each["status"] == "ACCEPTED"}
        if "dry_run=true" in sent.query:
            assert storage.everything()["objects"] == []
            accepted = set()
        else:
            assert_kept_as_sent(application, storage, sent, results)
        assert {row["event_id"] for row in storage.index()} == accepted
        assert_sound(storage)

    holds()


def test_whatever_corrects_a_refused_event_is_answered_in_order_and_leaves_it_as_it_was(
    application: Application, storage: Storage, swept: Callable[[], None]
) -> None:
    @settings(FUZZED, max_examples=times(20))
    @given(sent=requests())
    def holds(sent: Sent) -> None:
        swept()
        rejected_id = application.ingest({"source": "shop"}).json_body["rejected_id"]
        before = storage.quarantined(rejected_id)

        status, content_type, answer = answered(
            application, sent, "/rejected/{rejected_id}/retry", rejected_id=rejected_id
        )

        assert status in TAKEN | REFUSED
        assert content_type == "application/problem+json" or status in TAKEN or "results" in answer
        assert storage.quarantined(rejected_id) == before
        accepted = {each["event_id"] for each in results_of(answer) if each["status"] == "ACCEPTED"}
        if "dry_run=true" in sent.query:
            accepted = set()
        assert {row["event_id"] for row in storage.index()} == accepted
        assert_sound(storage)

    holds()


def test_whatever_is_asked_of_a_replay_is_answered_in_order_and_starts_one_only_if_it_says_so(
    application: Application, storage: Storage, swept: Callable[[], None]
) -> None:
    @settings(FUZZED, max_examples=times(25))
    @given(sent=replays())
    def holds(sent: Sent) -> None:
        swept()
        status, content_type, _ = answered(application, sent, "/replay")

        assert status in {200, 202, 400, 409, 413, 415}
        assert content_type == ("application/json" if status in {200, 202} else "application/problem+json")
        jobs = {row["PK"] for row in storage.rows("REPLAYS_TABLE") if row["PK"].startswith("REPLAY#")}
        assert len(jobs) == (status == 202)
        assert len(application.jobs.taken()) == (status == 202)

    holds()
