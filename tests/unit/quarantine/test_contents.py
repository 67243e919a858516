"""An event in quarantine is found by the source and key in its body, whatever it was refused for."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import Fault
from chalicelib.ingest.rejection import Rejection, RejectionStatus
from chalicelib.ingest.request import MAX_EVENTS
from chalicelib.quarantine.contents import contents_of
from tests.unit.examples import INGESTED

NATIVE, NDJSON = "application/json", "application/x-ndjson"
CLOUDEVENT = "application/cloudevents+json"
OTHER = b'{"source":"pay/gateway","idempotency_key":"payment-2"}'


def kept(body: bytes, content_type: str | None = NATIVE, headers: dict[str, str] | None = None) -> Rejection:
    fault = Fault("event_time", "is missing")
    return Rejection(RejectionStatus.REJECTED, body, (fault,), INGESTED, "request-1", content_type, headers or {})


NAMED = {
    "native": kept(b'{"source":"pay/gateway","idempotency_key":"payment-1"}'),
    "over several lines": kept(b'\xef\xbb\xbf{\n "idempotency_key" : "payment-1",\n "source": "pay/gateway"\n}'),
    "escaped": kept(b'{"source":"pay\\/gateway","idempotency_key":"payment\\u002d1"}'),
    "with members twice": kept(b'{"source":"pay/gateway","idempotency_key":"payment-1","payload":1,"payload":2}'),
    "a CloudEvent": kept(b'{"specversion":"1.0","source":"pay/gateway","id":"payment-1"}', CLOUDEVENT),
    "in headers": kept(b"", None, {"ce-source": "pay%2Fgateway", "ce-id": " payment-1"}),
    "one of several": kept(b"[" + OTHER + b',{"source":"pay/gateway","idempotency_key":"payment-1"}]'),
    "a line after broken ones": kept(
        b'{"id":"payment-1\n\xff\n' + OTHER + b'\n{"source":"pay/gateway","idempotency_key":"payment-1"}', NDJSON
    ),
}
UNNAMED = {
    "of another source": kept(b'{"source":"pay/other","idempotency_key":"payment-1"}'),
    "in the payload only": kept(b'{"source":"pay/gateway","payload":{"id":"payment-1"}}'),
    "in the payload of another key": kept(b'[{"source":"pay/gateway","id":"2","payload":{"id":"payment-1"}},{}]'),
    "another key": kept(OTHER),
    "a longer key": kept(b'{"source":"pay/gateway","idempotency_key":"payment-1 "}'),
    "other headers": kept(b'{"source":"pay/gateway","id":"payment-1"}', None, {"ce-source": "s", "ce-id": "2"}),
    "not an object": kept(b'["id","payment-1"]'),
    "not JSON": kept(b'{"source":"pay/gateway","id":"payment-1"'),
    "no JSON string": kept(b'{"source":"pay/gateway","id":"\\x"}'),
    "packed": kept(b"\x1f\x8b\x00"),
}


@pytest.mark.parametrize("rejected", NAMED.values(), ids=NAMED)
def test_the_event_is_found_by_its_source_and_key(rejected: Rejection) -> None:
    assert contents_of(rejected).name("pay/gateway", "payment-1")


@pytest.mark.parametrize("rejected", UNNAMED.values(), ids=UNNAMED)
def test_no_other_event_is_taken_for_it(rejected: Rejection) -> None:
    assert not contents_of(rejected).name("pay/gateway", "payment-1")


COUNTED = {
    "an empty array": (kept(b"[]"), 1),
    "elements": (kept(b' [1 , {"a": [2, 3]},\n"," ]'), 3),
    "an array that breaks": (kept(b'[1,{"a":[2,3]},{"b":'), 2),
    "integers of many digits": (kept(b"[" + b"9" * 5_000 + b",1]"), 2),
    "nesting beyond what Python parses": (kept(b"[1," + b"[" * 200_000), 1),
    "lines": (kept(b'{}\n\n \n{"a":\n[1,2]', NDJSON), 3),
    "an object": (kept(b'{"a":[1,2]}'), 1),
    "an array as one CloudEvent": (kept(b"[" + b"1," * 2 * MAX_EVENTS + b"1]", CLOUDEVENT), MAX_EVENTS),
}


@pytest.mark.parametrize(("rejected", "number"), COUNTED.values(), ids=COUNTED)
def test_events_are_counted_as_far_as_they_can_be_read_up_to_what_a_request_may_have(
    rejected: Rejection, number: int
) -> None:
    assert contents_of(rejected).events == number
