"""docs/producers.md says what shippers do with answers, and explains settings of the files in examples/producers/."""

from __future__ import annotations

import json
import re

import pytest
import urllib3

from chalicelib.events.event import Event, event_id_of
from chalicelib.ingest.request import MAX_BYTES, InvalidEvent, parse_request
from tests.shippers.configured import CONFIGURED, PRODUCERS, cloudevents_sdk, vector
from tests.shippers.delivery import deliver
from tests.shippers.log_lines import log_of, too_long
from tests.shippers.models import Answer, FluentBit, SyslogNg, Vector, Verdict, chunks
from tests.shippers.table import PAGE, ROWS, Row

SECTIONS = {text.split("\n")[0]: text for text in PAGE.split("\n## ")[1:]}
[LINE] = (line.encode() for line in re.findall(r"^```json\n(.*)\n```$", PAGE, re.MULTILINE))
SPOILT = {
    "no entity": b'{"time": "2026-11-21T12:00:00Z", "id": "pay-8", "event": "order.paid"}',
    "no time": b'{"time": "yesterday", "id": "pay-8", "event": "order.paid", "order": "order-1007"}',
    "no JSON": "Traceback, Grüße".encode(),
    "no object": b"[1, 2]",
    "cut off": b'{"time": "2026-11-21T12:00:00Z", "id": "pay-8',
}


def read(event: bytes) -> Event | InvalidEvent:
    """What Retrace reads of one line of NDJSON."""
    [submission] = parse_request(event, "application/x-ndjson", None, {}).submissions
    return submission


def verdict_of_the_sdk_example(first: Answer | None) -> Verdict:
    """What the program does after one such answer, if the next one is 200."""
    answers = iter([first, Answer(200)])

    def post(batch: bytes) -> urllib3.BaseHTTPResponse:
        if (answer := next(answers)) is None:
            raise urllib3.exceptions.ProtocolError
        return urllib3.HTTPResponse(b"", status=answer.status)

    program = cloudevents_sdk()
    try:
        program.Sender(post, sleep=lambda _: None).send([b"{}"])
    except program.Refused:
        return Verdict.DROPS
    return Verdict.DONE if list(answers) else Verdict.RETRIES


def test_the_table_has_every_answer_that_matters() -> None:
    assert [row.name for row in ROWS] == [
        *("200", "207", "400", "413", "429", "503"),
        *("none: connection lost", "none: timeout"),
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_shipper_does_with_an_answer_what_the_table_says(row: Row) -> None:
    verdicts = [configured().shipper.verdict(row.answer) for configured in CONFIGURED.values()]

    assert tuple(verdict.value for verdict in [*verdicts, verdict_of_the_sdk_example(row.answer)]) == row.verdicts


def test_the_table_has_a_column_for_each_shipper() -> None:
    assert f"| answer | {' | '.join(CONFIGURED)} | `cloudevents_sdk.py` |" in PAGE


@pytest.mark.parametrize("heading", ["Fluent Bit", "Vector", "syslog-ng", "CloudEvents SDK for Python"])
def test_each_setting_that_a_section_explains_is_in_its_file(heading: str) -> None:
    section = SECTIONS[heading]
    name = re.findall(r"\(\.\./examples/producers/([\w.-]+)\)", section)[0]

    settings = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)

    assert [setting for setting in settings if setting not in (PRODUCERS / name).read_text()] == []


def test_the_page_links_to_every_file_of_the_examples() -> None:
    linked = set(re.findall(r"\(\.\./examples/producers/([\w.-]+)\)", PAGE))

    assert linked == {path.name for path in PRODUCERS.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_log_line_becomes_the_native_event_that_the_page_describes(name: str) -> None:
    event = read(CONFIGURED[name]().event(LINE))

    assert isinstance(event, Event)
    assert (event.source, event.event_type, event.entity_id) == ("shop/checkout", "order.paid", "order-1007")
    assert event.event_time == "2026-11-21T12:00:00.123000000Z"
    assert event.event_id == event_id_of("shop/checkout", "pay-7", event.content_sha256)
    assert json.loads(event.text)["payload"] == json.loads(LINE)


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_line_without_an_id_has_no_key_and_so_its_content_is_its_identity(name: str) -> None:
    without = json.dumps({key: value for key, value in json.loads(LINE).items() if key != "id"}).encode()
    make = CONFIGURED[name]().event

    event, again = read(make(without)), read(make(without))

    assert isinstance(event, Event)
    assert not event.has_own_key
    assert event == again


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("name", CONFIGURED)
def test_a_line_that_makes_no_event_is_refused_with_all_of_its_text(name: str, spoilt: bytes) -> None:
    event = CONFIGURED[name]().event(spoilt)

    assert isinstance(read(event), InvalidEvent)
    payload = json.loads(event)["payload"]
    assert payload in ({"line": spoilt.decode()}, {"log": spoilt.decode()}) or payload == json.loads(spoilt)


def test_the_sdk_example_makes_an_event_of_each_line() -> None:
    made = json.loads(cloudevents_sdk().event(LINE))

    assert (made["id"], made["source"], made["type"]) == ("pay-7", "shop/checkout", "order.paid")
    assert (made["subject"], made["time"]) == ("order-1007", "2026-11-21T12:00:00.123000Z")
    assert made["data"] == json.loads(LINE)


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_the_sdk_example_keeps_the_text_of_a_line_that_is_no_record_and_its_id(spoilt: bytes) -> None:
    make = cloudevents_sdk().event

    made = json.loads(make(spoilt))

    assert made["data"] == {"line": spoilt.decode()} or made["data"] == json.loads(spoilt)
    assert json.loads(make(spoilt))["id"] == made["id"]


def test_the_sdk_example_cuts_batches_by_bytes_and_loses_none() -> None:
    program = cloudevents_sdk()
    events = [b'"%d%s"' % (number, b"x" * 300_000) for number in range(20)] + [b'"%s"' % (b"y" * 3_000_000)]

    batches = list(program.batches(events))

    assert [each for batch in batches for each in json.loads(batch)] == list(map(json.loads, events))
    assert all(len(batch) <= program.MOST_BYTES or len(json.loads(batch)) == 1 for batch in batches)


def test_fluent_bit_repeats_a_chunk_whose_answer_does_not_fit_its_buffer() -> None:
    assert FluentBit().verdict(Answer(200, 4_096)) is Verdict.DONE
    assert FluentBit().verdict(Answer(200, 4_097)) is Verdict.RETRIES


def test_by_default_fluent_bit_drops_a_chunk_after_one_retry_and_the_others_never() -> None:
    refuses = iter([Answer(503)] * 2)

    account = deliver(FluentBit(), [b"chunk"], lambda _: next(refuses))

    assert account.dropped == [b"chunk"]
    assert {Vector().retry_limit, SyslogNg().retry_limit} == {None}


def test_as_configured_no_shipper_gives_a_chunk_up() -> None:
    assert {configured().shipper.retry_limit for configured in CONFIGURED.values()} == {None}


def test_by_default_syslog_ng_repeats_what_is_too_large_for_ever() -> None:
    account = deliver(SyslogNg(), [b"chunk"], lambda _: Answer(413))

    assert account.endless == [b"chunk"]


def test_a_shipper_sends_a_chunk_again_behind_those_that_wait_and_lets_go_of_none() -> None:
    answers = iter([None, Answer(200), Answer(503), Answer(200)])
    sent: list[bytes] = []

    def road(chunk: bytes) -> Answer | None:
        sent.append(chunk)
        return next(answers)

    account = deliver(Vector(), [b"first", b"second"], road)

    assert sent == [b"first", b"second", b"first", b"first"]
    assert (account.attempts, account.dropped, account.endless) == (4, [], [])


def test_chunks_have_at_most_so_many_bytes_and_lose_no_line() -> None:
    lines = list(log_of("chunks", 500).lines)

    cut = chunks(lines, 10_000)

    assert b"\n".join(cut).split(b"\n") == lines
    assert max(map(len, cut)) <= 10_000


def test_a_chunk_of_any_shipper_fits_a_request_also_if_it_is_full_of_quotes() -> None:
    for configured in (make() for make in CONFIGURED.values()):
        events = [configured.event(b'"' * 5_000)] * 2_000

        assert max(map(len, chunks(events, configured.chunk_bytes, configured.size))) <= MAX_BYTES


def test_by_default_vector_makes_batches_that_no_request_takes() -> None:
    events = list(map(vector().event, log_of("defaults", 30_000).lines))

    assert max(map(len, chunks(events, Vector.CHUNK_BYTES, vector().size))) > MAX_BYTES


def test_a_log_has_the_share_of_invalid_and_contradicting_lines_that_it_says() -> None:
    log = log_of("shares", 5_000, too_long)

    assert log.stored + log.refused == len(log.lines) == 5_000
    assert 0.06 < log.refused / 5_000 < 0.08
