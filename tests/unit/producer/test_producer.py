"""What a program may rely on: each event that was sent is decided about, whatever the API answers or does not."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from infra.command import wait_until
from retrace import InvalidEvent, Producer, ProducerError, Rejection, SpoolFull, SpoolInUse
from tests.copied_project import ROOT
from tests.unit.producer.model_api import Fault, ModelApi, numbered, producer, serving

BUSY = Fault(503)
LOST = Fault(takes=1.0)
ROOM = 14
"""How many numbered events fit into a spool of 2,000 bytes."""


@pytest.fixture
def api() -> Iterator[ModelApi]:
    with serving(ModelApi()) as served:
        yield served


def in_turn(*faults: Fault | None) -> Any:
    """A fault for each request, one after another, and none from then on."""
    left = list(faults)
    return lambda _: left.pop(0) if left else None


def test_events_are_sent_in_compressed_and_signed_batches(api: ModelApi, tmp_path: Path) -> None:
    with producer(api, tmp_path) as sending:
        for event in numbered(300):
            sending.send(event)

    assert api.taken == dict.fromkeys(numbered(300), 1)
    assert len(api.requests) < 10
    assert api.headers[0]["content-encoding"] == "gzip"
    assert "/eu-west-1/execute-api/aws4_request" in api.headers[0]["authorization"]
    assert set(api.queries) == {"refused"}


@pytest.mark.parametrize(
    "fault",
    [
        BUSY,
        LOST,
        Fault(),
        Fault(503, takes=0.5),
        Fault(429),
        Fault(500),
        Fault(502, body=b""),
        Fault(504, takes=1.0, body=b"<html>"),
        Fault(403),
        Fault(404),
        Fault(407),
        Fault(400, body=b'{"message": "Bad request"}'),
        Fault(200, body=b"<html>Welcome to the WiFi</html>"),
        Fault(200, body=b"[]"),
        Fault(200, body=b"{}"),
        Fault(200, body=b'{"counts": 7}'),
        Fault(200, body=b'{"counts": {"accepted": 999, "duplicate": 0, "conflict": 0, "rejected": 0}}'),
        Fault(200, body=b'{"counts": {"accepted": "20", "duplicate": 0, "conflict": 0, "rejected": 0}}'),
        Fault(200, body=b'{"counts": {"accepted": 19, "duplicate": 0, "conflict": 0, "rejected": 1}, "results": 3}'),
        Fault(
            200,
            body=b'{"counts": {"accepted": 19, "duplicate": 0, "conflict": 0, "rejected": 1},'
            b' "results": [{"position": -1, "status": "REJECTED"}]}',
        ),
        Fault(
            200,
            body=b'{"counts": {"accepted": 19, "duplicate": 0, "conflict": 0, "rejected": 1},'
            b' "results": [{"position": 99, "status": "REJECTED"}]}',
        ),
    ],
)
def test_an_event_is_sent_until_an_answer_decides_about_it(fault: Fault, api: ModelApi, tmp_path: Path) -> None:
    refused: list[Rejection] = []
    api.fault = in_turn(fault, fault, fault)
    with producer(api, tmp_path, connections=1, on_rejected=refused.append) as sending:
        for event in numbered(20):
            sending.send(event)
        sending.flush()
        left = sending.pending

    assert (api.taken, left, refused) == (dict.fromkeys(numbered(20), 1), 0, [])


def test_a_request_that_gets_no_answer_in_time_is_sent_again(api: ModelApi, tmp_path: Path) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slow(_: Sequence[bytes]) -> None:
        if not asked.is_set():
            asked.set()
            may_answer.wait(60)

    api.fault = slow
    with producer(api, tmp_path, request_timeout_s=0.2) as sending:
        sending.send(numbered(1)[0])
        asked.wait(60)
        with pytest.raises(TimeoutError, match=r"no answer: .*timed out"):
            sending.flush(1)
        may_answer.set()
        sending.flush()

    assert api.taken == dict.fromkeys(numbered(1), 1)
    assert len(api.requests) >= 2


@pytest.mark.parametrize("asked", ["3600", "9" * 30])
def test_retry_after_is_waited_for(asked: str, api: ModelApi, tmp_path: Path) -> None:
    api.fault = in_turn(Fault(429, retry_after=asked))
    sending = producer(api, tmp_path, close_timeout_s=0, connections=1)
    sending.send(numbered(1)[0])

    with pytest.raises(TimeoutError, match="429"):
        sending.flush(0.5)
    sending.close()
    assert len(api.requests) == 1


def test_a_batch_that_is_too_large_is_divided(api: ModelApi, tmp_path: Path) -> None:
    api.fault = lambda texts: Fault(413) if len(texts) > 7 else None
    with producer(api, tmp_path, connections=1) as sending:
        for event in numbered(100):
            sending.send(event)

    assert api.taken == dict.fromkeys(numbered(100), 1)


def test_an_event_that_alone_is_too_large_is_refused_and_the_others_are_sent(api: ModelApi, tmp_path: Path) -> None:
    refused: list[Rejection] = []
    huge = numbered(1, first=5)[0]
    api.fault = lambda texts: Fault(413) if huge in texts else None
    with producer(api, tmp_path, on_rejected=refused.append) as sending:
        for event in numbered(20):
            sending.send(event)

    assert api.taken == dict.fromkeys(set(numbered(20)) - {huge}, 1)
    [rejection] = refused
    assert (rejection.event, rejection.status, rejection.rejected_id) == (huge, "REJECTED", None)
    assert "too large" in rejection.errors[0]["message"]


def test_an_event_that_breaks_its_request_is_found_and_refused_alone(api: ModelApi, tmp_path: Path) -> None:
    refused: list[Rejection] = []
    broken = numbered(1, first=5)[0]
    whole = b'{"counts": {"accepted": 0, "duplicate": 0, "conflict": 0, "rejected": 1},'
    whole += b' "results": [{"position": 0, "status": "REJECTED", "errors": [], "rejected_id": "r-1"}]}'
    api.fault = lambda texts: Fault(400, body=whole) if broken in texts else None
    with producer(api, tmp_path, on_rejected=refused.append) as sending:
        for event in numbered(20):
            sending.send(event)

    assert api.taken == dict.fromkeys(set(numbered(20)) - {broken}, 1)
    assert [rejection.event for rejection in refused] == [broken]


@pytest.mark.parametrize("bad", [1, 30, 700])
def test_each_refused_event_is_reported_once_with_its_reasons_however_many_there_are(
    bad: int, api: ModelApi, tmp_path: Path
) -> None:
    refused: list[Rejection] = []
    wrong = [event.replace(b'"payload":', b'"payload":"refuse",   "x":') for event in numbered(bad)]
    with producer(api, tmp_path, on_rejected=refused.append, connections=1) as sending:
        for event in [*wrong, *numbered(200)]:
            sending.send(event)

    assert api.taken == dict.fromkeys(numbered(200), 1)
    assert sorted(rejection.event for rejection in refused) == sorted(wrong)
    assert all(rejection.status == "REJECTED" and rejection.rejected_id for rejection in refused)
    assert refused[0].errors == [{"field": "payload", "message": "is not allowed"}]


def test_a_key_with_other_content_is_reported_as_a_conflict(api: ModelApi, tmp_path: Path) -> None:
    refused: list[Rejection] = []
    with producer(api, tmp_path, on_rejected=refused.append, connections=1) as sending:
        for payload in (1, 2):
            sending.send({"source": "shop", "idempotency_key": "k", "payload": payload})

    assert [(json.loads(rejection.event)["payload"], rejection.status) for rejection in refused] == [(2, "CONFLICT")]


def test_an_event_in_a_state_of_later_versions_is_reported_and_not_sent_again(api: ModelApi, tmp_path: Path) -> None:
    refused: list[Rejection] = []
    body = b'{"counts": {"accepted": 0, "duplicate": 0, "conflict": 0, "rejected": 0, "erased": 1},'
    body += b' "results": [{"position": 0, "status": "ERASED", "errors": [], "rejected_id": null}]}'
    api.fault = lambda _: Fault(200, body=body)
    with producer(api, tmp_path, on_rejected=refused.append) as sending:
        sending.send(numbered(1)[0])

    assert [(rejection.event, rejection.status) for rejection in refused] == [(numbered(1)[0], "ERASED")]
    assert len(api.requests) == 1


def test_a_callback_that_fails_stops_nothing(api: ModelApi, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: Rejection) -> None:
        raise RuntimeError("broken callback")

    with producer(api, tmp_path, on_rejected=fails) as sending:
        sending.send({"payload": "refuse"})
        sending.send(numbered(1)[0])

    assert api.taken == dict.fromkeys(numbered(1), 1)
    assert "rejected_id is r-" in caplog.text


def test_a_batch_is_due_by_its_bytes_and_by_its_age(api: ModelApi, tmp_path: Path) -> None:
    arrived = threading.Event()
    api.fault = lambda _: arrived.set()
    with producer(api, tmp_path / "bytes", max_batch_bytes=1_000, max_batch_age_s=3_600) as sending:
        for event in numbered(10):
            sending.send(event)
        assert arrived.wait(60)
    assert all(sum(map(len, texts)) <= 1_000 for texts in api.requests)

    arrived.clear()
    with producer(api, tmp_path / "age", max_batch_age_s=0.01) as sending:
        sending.send(numbered(1, first=10)[0])
        assert arrived.wait(60)


def test_a_batch_has_events_of_one_form(api: ModelApi, tmp_path: Path) -> None:
    cloudevent = CloudEvent({"id": "1", "source": "/shop", "type": "paid", "subject": "order-1"}, {"amount": "1.10"})
    with producer(api, tmp_path) as sending:
        sending.send(numbered(1)[0])
        sending.send(bytes(JSONFormat().write(cloudevent)))
        sending.send({"specversion": "1.0", "id": "2", "source": "/shop", "type": "paid"})

    assert len(api.taken) == 3
    assert {header["content-type"] for header in api.headers} == {
        "application/x-ndjson",
        "application/cloudevents-batch+json",
    }


def test_bytes_keep_their_tokens_on_one_line(api: ModelApi, tmp_path: Path) -> None:
    with producer(api, tmp_path) as sending:
        sending.send(b' {"payload":\r\n {"price": 1.10e0, "name": "\xc3\xa9\\u00e9"}}\n')

    assert list(api.taken) == [b'{"payload":   {"price": 1.10e0, "name": "\xc3\xa9\\u00e9"}}']


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (b"{", "not JSON"),
        (b"[{}]", "not a JSON object"),
        (b"{} {}", "not JSON"),
        (b"", "not JSON"),
        (b'"text"', "not a JSON object"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b'{"a": 1, "a": 2}', "a is a duplicate key"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 256 levels"),
        ({"a": float("inf")}, "Infinity is not a JSON number"),
        ({"a": object()}, "cannot be written as JSON"),
        ({"a": "\ud800"}, "cannot be written as JSON"),
        ("{}", "not str"),
        ([{}], "not list"),
        ({"a": "x" * 10_000_000}, "A request takes at most"),
    ],
)
def test_what_is_not_one_json_object_is_refused_by_send(event: Any, why: str, api: ModelApi, tmp_path: Path) -> None:
    with producer(api, tmp_path) as sending, pytest.raises(InvalidEvent, match=why):
        sending.send(event)

    assert api.requests == []


def test_what_was_left_in_the_spool_is_sent_by_the_next_producer(api: ModelApi, tmp_path: Path) -> None:
    api.fault = lambda _: BUSY
    with producer(api, tmp_path, close_timeout_s=0.1) as sending:
        for event in numbered(50):
            sending.send(event)
    assert (sending.pending, dict(api.taken)) == (50, {})

    api.fault = in_turn()
    producer(api, tmp_path).close()

    assert api.taken == dict.fromkeys(numbered(50), 1)


def test_a_full_spool_makes_send_wait_until_there_is_room(api: ModelApi, tmp_path: Path) -> None:
    may_answer = threading.Event()

    def slow(_: Sequence[bytes]) -> None:
        may_answer.wait(60)

    def send() -> None:
        for event in numbered(100):
            sending.send(event)

    api.fault = slow
    with producer(api, tmp_path, max_spool_bytes=2_000, max_batch_age_s=0.01) as sending:
        sent = threading.Thread(target=send)
        sent.start()
        assert wait_until(lambda: sending.pending >= ROOM, 60, every=0.01)
        waiting, held = sent.is_alive(), sending.pending
        may_answer.set()
        sent.join(60)

    assert (waiting, held) == (True, ROOM)
    assert api.taken == dict.fromkeys(numbered(100), 1)


def test_a_full_spool_is_an_error_of_send_if_it_is_not_to_wait(api: ModelApi, tmp_path: Path) -> None:
    api.fault = lambda _: BUSY
    with producer(api, tmp_path, max_spool_bytes=2_000, full_timeout_s=0, close_timeout_s=0.0) as sending:
        for event in numbered(ROOM):
            sending.send(event)
        with pytest.raises(SpoolFull, match=f"The spool is full: {ROOM} events wait"):
            sending.send(numbered(1, first=ROOM)[0])
        with pytest.raises(SpoolFull, match="larger than the spool"):
            sending.send({"payload": "x" * 3_000})


def test_flush_returns_once_all_that_was_sent_is_decided(api: ModelApi, tmp_path: Path) -> None:
    with producer(api, tmp_path, max_batch_age_s=3_600) as sending:
        for event in numbered(10):
            sending.send(event)
        sending.flush(60)

        assert (len(api.taken), len(api.requests), sending.pending) == (10, 1, 0)


def test_flush_of_a_closed_producer_says_what_is_left(api: ModelApi, tmp_path: Path) -> None:
    api.fault = lambda _: BUSY
    with producer(api, tmp_path, close_timeout_s=0.1) as sending:
        sending.send(numbered(1)[0])

    with pytest.raises(TimeoutError, match="1 events still wait"):
        sending.flush()


def test_flush_that_is_not_done_in_time_says_how_many_wait_and_why(api: ModelApi, tmp_path: Path) -> None:
    api.fault = lambda _: Fault(403, body=b'{"message": "not authorized"}')
    with producer(api, tmp_path, close_timeout_s=0.0) as sending:
        sending.send(numbered(1)[0])
        with pytest.raises(TimeoutError, match=r"1 events still wait in the spool .*403: .*not authorized"):
            sending.flush(0.5)


def test_threads_share_a_producer(api: ModelApi, tmp_path: Path) -> None:
    with producer(api, tmp_path, max_batch_bytes=2_000) as sending:

        def send(first: int) -> None:
            for event in numbered(100, first):
                sending.send(event)

        threads = [threading.Thread(target=send, args=(first,)) for first in range(0, 800, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert api.taken == dict.fromkeys(numbered(800), 1)


def test_a_spool_has_one_producer_at_a_time(api: ModelApi, tmp_path: Path) -> None:
    with producer(api, tmp_path), pytest.raises(SpoolInUse, match="in use by another producer"):
        producer(api, tmp_path)

    producer(api, tmp_path).close()


def test_a_closed_producer_takes_nothing_and_leaves_no_thread(api: ModelApi, tmp_path: Path) -> None:
    sending = producer(api, tmp_path)
    sending.close()
    sending.close()

    with pytest.raises(ProducerError, match="closed"):
        sending.send(numbered(1)[0])
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("retrace-producer")] == []


def test_a_spool_that_cannot_be_used_is_named_with_the_remedy(api: ModelApi, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "spool.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(ProducerError, match=r"file cannot be opened: .* Name a directory"):
        producer(api, tmp_path / "file")
    with pytest.raises(ProducerError, match=r"cannot be read: file is not a database\. Name another directory"):
        producer(api, tmp_path)


def test_a_url_that_is_none_and_a_region_that_is_unknown_are_errors_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ProducerError, match="not valid for an API"):
        Producer("nowhere", spool=tmp_path)
    with pytest.raises(ProducerError, match="region of the API is unknown"):
        Producer("https://api.example/api", spool=tmp_path)


def test_without_credentials_events_wait_in_the_spool(
    api: ModelApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with producer(api, tmp_path, close_timeout_s=0.0) as sending:
        sending.send(numbered(1)[0])
        with pytest.raises(TimeoutError, match="There are no AWS credentials"):
            sending.flush(1)

        assert (sending.pending, api.requests) == (1, [])


@pytest.mark.parametrize("seed", range(3))
def test_with_faults_in_a_third_of_all_requests_each_event_is_decided_once(
    seed: int, api: ModelApi, tmp_path: Path
) -> None:
    random = Random(seed)
    refused: list[Rejection] = []
    faults = (BUSY, LOST, Fault(), Fault(503, takes=0.5), Fault(429, retry_after="0"), Fault(413), Fault(504, takes=1))
    api.fault = lambda texts: _but_single(texts, random.choice(faults)) if random.random() < 1 / 3 else None
    wrong = [event.replace(b'"payload":', b'"payload":"refuse",   "x":') for event in numbered(100)]
    events = [*wrong, *numbered(2_000)]
    random.shuffle(events)
    with producer(api, tmp_path, max_batch_bytes=5_000, on_rejected=refused.append) as sending:
        for event in events:
            sending.send(event)
        sending.flush()

    assert api.taken == dict.fromkeys(numbered(2_000), 1)
    assert sorted(rejection.event for rejection in refused) == sorted(wrong)


def _but_single(texts: Sequence[bytes], fault: Fault) -> Fault | None:
    """One event is not too large."""
    return None if fault.status == 413 and len(texts) == 1 else fault


def test_importing_the_producer_imports_neither_the_command_line_nor_what_it_needs() -> None:
    asked = "import sys; from retrace import Producer; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  # ours

    heavy = {"retrace.command_line", "typer", "rich", "pydantic", "boto3", "botocore", "urllib3", "pyarrow"}
    assert heavy & set(said.stdout.split()) == set()
