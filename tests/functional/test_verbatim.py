"""What a producer sent comes back token for token."""

from __future__ import annotations

import gzip

import pytest

from tests.functional.application import JSON, NDJSON, Application
from tests.functional.storage import Storage

WRITTEN = (
    '{ "payload":{"price":1.10,"id":12345678901234567890,"at":1.688560107857E9,"zero":-0.0,"tiny":1e-400,"z":1,"a":2},'
    '\t"source":"shop\\/checkout","event_type":"order.paid",  "event_time":"2023-06-30T12:00:00+02:00",'
    '"entity_id":"caf\\u00e9 é \\ud83d\\ude00 😀 \\n","idempotency_key":null }'
)

PRETTY = """{
  "source": "shop/checkout",\r
  "event_type": "order.paid",
  "entity_id": "order-1",
  "event_time": "2023-06-30T10:00:00Z",
  "payload": [
    1.0,
\t"two\\nlines"
  ]
}"""


def raw(application: Application, body: bytes, content_type: str = JSON) -> bytes:
    """What /raw answers of the only event in a body."""
    answer = application.ingest(body, content_type).json_body
    [result] = answer.get("results", [answer])
    assert result["status"] == "ACCEPTED", result
    return application.get(f"/events/{result['event_id']}/raw").body


def test_an_event_comes_back_as_it_was_written(application: Application) -> None:
    assert raw(application, WRITTEN.encode()).decode() == WRITTEN


def test_an_element_of_an_array_comes_back_as_it_was_written(application: Application) -> None:
    assert raw(application, f" [\r\n {WRITTEN} \n] ".encode()).decode() == WRITTEN


def test_a_line_comes_back_as_it_was_written(application: Application) -> None:
    assert raw(application, f"{WRITTEN}\r\n".encode(), NDJSON).decode().strip() == WRITTEN


@pytest.mark.parametrize("number", ["1.10", "12345678901234567890", "1.688560107857E9", "-0", "0.1e+01", "1E400"])
def test_a_number_comes_back_as_it_was_written(application: Application, number: str) -> None:
    written = WRITTEN.replace("1.10", number)

    assert raw(application, written.encode()).decode() == written


def test_line_breaks_between_tokens_become_blanks_and_nothing_else_changes(application: Application) -> None:
    assert raw(application, PRETTY.encode()).decode() == PRETTY.replace("\r", " ").replace("\n", " ")


def test_pretty_printed_elements_are_one_line_each(application: Application, storage: Storage) -> None:
    other = PRETTY.replace("order-1", "order-2")

    results = application.ingest(f"[\n{PRETTY},\n{other}\n]".encode()).json_body["results"]

    [content] = storage.objects().values()
    assert content.count(b"\n") == 2
    events = [application.get(f"/events/{result['event_id']}/raw").body.decode() for result in results]
    assert events == [PRETTY.replace("\r", " ").replace("\n", " "), other.replace("\r", " ").replace("\n", " ")]


def test_an_event_that_was_packed_comes_back_unpacked(application: Application) -> None:
    event_id = application.ingest(gzip.compress(WRITTEN.encode()), encoding="gzip").json_body["event_id"]

    assert application.get(f"/events/{event_id}/raw").body.decode() == WRITTEN


def test_the_writing_of_the_first_send_stays(application: Application) -> None:
    first = raw(application, WRITTEN.encode())
    spaced = WRITTEN.replace('"source":', '"source":   ')

    again = application.ingest(spaced.encode())

    assert again.json_body["status"] == "DUPLICATE"
    assert application.get(f"/events/{again.json_body['event_id']}/raw").body == first
