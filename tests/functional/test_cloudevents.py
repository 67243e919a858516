"""CloudEvents over HTTP, from the request to what is stored."""

from __future__ import annotations

import base64
import json

import pytest
from chalice.test import HTTPResponse

from tests.functional.application import Application
from tests.functional.cloudevent_cases import BATCH, STRUCTURED, Case, cases, in_binary_mode, paid_event
from tests.functional.events import DAY, NEXT_DAY, Json, as_json, paid
from tests.functional.storage import Storage, assert_sound

CASES = cases()
VALID = [case for case in CASES if case.decoded is not None]
INVALID = [case for case in CASES if case.decoded is None]


def send(application: Application, headers: dict[str, str], body: bytes) -> HTTPResponse:
    """POST /ingest with these headers."""
    return application.call("POST", "/ingest?results=all", headers, body)


def sent(application: Application, case: Case) -> HTTPResponse:
    """The answer to a case."""
    return send(application, case.headers, case.body)


def results(response: HTTPResponse) -> list[Json]:
    """What became of each event, however many were sent."""
    body: Json = response.json_body
    found: list[Json] = body.get("results", [body])
    return found


def attributes_in(event: Json) -> Json:
    """The attributes of a stored event in their string encoding."""
    given = {name: value for name, value in event.items() if name not in ("data", "data_base64") and value is not None}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def assert_data(stored: Json, decoded: Json) -> None:
    """The data of a stored event is what a decoder gets."""
    if "data_bytes_base64" in decoded and "data" in stored:
        assert stored["data"] == json.loads(base64.b64decode(decoded["data_bytes_base64"]))
    elif "data_bytes_base64" in decoded:
        assert stored["data_base64"] == decoded["data_bytes_base64"]
    elif "data_json" in decoded or "data_text" in decoded:
        assert stored["data"] == decoded.get("data_json", decoded.get("data_text"))
    else:
        assert not {"data", "data_base64"} & stored.keys()


@pytest.mark.sample
@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_what_is_valid_is_stored_as_a_decoder_has_to_get_it(application: Application, case: Case) -> None:
    response = sent(application, case)

    assert case.decoded is not None
    assert response.status_code in {200, 201}
    for result, decoded in zip(results(response), case.decoded, strict=True):
        assert result["status"] == "ACCEPTED"
        stored = json.loads(application.get(f"/events/{result['event_id']}/raw").body)
        assert attributes_in(stored) == decoded["attributes"]
        assert_data(stored, decoded)


@pytest.mark.sample
@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_attributes_are_found_under_the_names_they_are_mapped_to(application: Application, case: Case) -> None:
    assert case.decoded is not None
    for result, decoded in zip(results(sent(application, case)), case.decoded, strict=True):
        event = application.get(f"/events/{result['event_id']}").json_body
        attributes = decoded["attributes"]
        assert event["source"] == attributes["source"]
        assert event["event_type"] == attributes["type"]
        assert event["entity_id"] == attributes.get("subject", attributes["source"])
        assert event["event_time"][:19] == attributes.get("time", event["ingest_time"])[:19]


@pytest.mark.sample
@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_what_is_invalid_is_refused_and_kept_with_the_reasons(
    application: Application, storage: Storage, case: Case
) -> None:
    response = sent(application, case)

    assert response.status_code in {200, 400}
    refused = [result for result in results(response) if result["status"] == "REJECTED"]
    assert len(refused) == 1
    assert refused[0]["errors"]
    kept = storage.quarantined(refused[0]["rejected_id"])
    assert kept["errors"] == refused[0]["errors"]
    if case.faults:
        assert sorted(fault["field"] for fault in refused[0]["errors"]) == list(case.faults)


@pytest.mark.sample
@pytest.mark.parametrize("case", [case for case in INVALID if "ce-source" in case.headers], ids=lambda case: case.name)
def test_a_refused_event_in_binary_mode_is_kept_with_its_headers(
    application: Application, storage: Storage, case: Case
) -> None:
    kept = storage.quarantined(sent(application, case).json_body["rejected_id"])

    lower = {name.lower(): value for name, value in case.headers.items()}
    assert kept["body"].encode() == case.body
    assert kept["content_type"] == lower.pop("content-type", None)
    assert kept["headers"] == lower


def test_refused_events_without_a_body_are_kept_apart(application: Application) -> None:
    answers = [send(application, {"ce-id": name}, b"").json_body for name in ("one", "other")]

    assert answers[0]["rejected_id"] != answers[1]["rejected_id"]


def test_of_a_batch_only_what_is_wrong_is_refused(application: Application) -> None:
    batch = [paid_event(id="1"), paid_event(id="2", specversion="0.3"), paid_event(id="3")]

    response = send(application, {"content-type": BATCH}, as_json(batch))

    assert response.status_code == 200
    assert [result["status"] for result in results(response)] == ["ACCEPTED", "REJECTED", "ACCEPTED"]
    assert [fault["field"] for fault in results(response)[1]["errors"]] == ["specversion"]


def test_a_refused_element_of_a_batch_can_be_sent_again_alone(application: Application, storage: Storage) -> None:
    response = send(application, {"content-type": BATCH}, as_json([paid_event(), paid_event(id="")]))

    kept = storage.quarantined(results(response)[1]["rejected_id"])

    assert (kept["content_type"], kept["headers"]) == (STRUCTURED, {})
    assert json.loads(kept["body"]) == paid_event(id="")


@pytest.mark.parametrize("repeats", [{"time": f"{DAY}T10:00:00Z"}, {"time": None}], ids=["with time", "without time"])
def test_one_event_in_every_mode_is_one_event(application: Application, storage: Storage, repeats: Json) -> None:
    event = paid_event(**repeats)
    binary = in_binary_mode(event, b' {"amount": 5}\r\n')

    first = sent(application, binary)
    structured = send(application, {"content-type": STRUCTURED}, as_json(event))
    batch = send(application, {"content-type": BATCH}, as_json([event]))

    assert first.status_code == 201
    for again in (*results(structured), *results(batch)):
        assert {**again, "position": 0} == first.json_body | {"status": "DUPLICATE", "position": 0}
    assert len(storage.index()) == 1


def test_an_event_that_came_by_two_paths_with_other_traces_is_one_event(
    application: Application, storage: Storage
) -> None:
    traces = [f"00-{number:032x}-{number:016x}-01" for number in range(4)]
    paths = [paid_event(traceparent=trace, tracestate=f"hop={number}") for number, trace in enumerate(traces)]
    first = sent(application, in_binary_mode(paths[0], b'{"amount": 5}')).json_body

    again = [
        sent(application, in_binary_mode(paths[1], b'{"amount": 5}')).json_body,
        send(application, {"content-type": STRUCTURED}, as_json(paths[2])).json_body,
        application.ingest(
            paid(
                source="/shop/checkout",
                event_time=paths[3]["time"],
                payload=paths[3]["data"],
                idempotency_key=paths[3]["id"],
                extensions={"traceparent": traces[3]},
            )
        ).json_body,
    ]

    assert first["status"] == "ACCEPTED"
    assert again == [first | {"status": "DUPLICATE"}] * 3
    assert json.loads(application.get(f"/events/{first['event_id']}/raw").body)["tracestate"] == "hop=0"
    assert_sound(storage)


def test_other_content_under_an_id_is_a_conflict_that_names_the_id(application: Application, storage: Storage) -> None:
    send(application, {"content-type": STRUCTURED}, as_json(paid_event()))

    response = sent(application, in_binary_mode(paid_event(), b'{"amount": 6}'))

    assert response.status_code == 409
    assert [fault["field"] for fault in response.json_body["errors"]] == ["id"]
    kept = storage.quarantined(response.json_body["rejected_id"])
    assert (kept["status"], kept["content_type"], kept["headers"]) == ("CONFLICT", STRUCTURED, {})
    assert json.loads(kept["body"]) == paid_event(data={"amount": 6})


def test_tokens_of_json_data_come_back_as_they_were_sent(application: Application) -> None:
    body = b'{"amount": 1.10, "many": 12345678901234567890, "e": 1.688560107857E9}'

    accepted = sent(application, in_binary_mode(paid_event(), body))

    raw = application.get(f"/events/{accepted.json_body['event_id']}/raw")
    assert raw.body.endswith(b',"data":' + body + b"}")


def test_a_lone_surrogate_in_a_name_hides_no_other_fault(application: Application) -> None:
    response = send(application, {"content-type": STRUCTURED}, as_json(paid_event(id="") | {"\ud800": "x"}))

    assert response.status_code == 400
    assert {"", "id"} <= {fault["field"] for fault in response.json_body["errors"]}


def test_the_media_type_of_cloudevents_wins_over_headers(application: Application) -> None:
    response = send(application, {"content-type": STRUCTURED, "ce-id": "other"}, as_json(paid_event(id="inner")))

    assert response.status_code == 201
    raw = application.get(f"/events/{response.json_body['event_id']}/raw")
    assert json.loads(raw.body)["id"] == "inner"


def test_another_event_format_is_not_taken(application: Application) -> None:
    for media_type in ("application/cloudevents+avro", "application/cloudevents"):
        assert send(application, {"content-type": media_type, "ce-id": "1"}, b"").status_code == 415


def test_a_cloudevent_without_time_is_replayed_and_counted_like_any_other(application: Application) -> None:
    accepted = send(application, {"content-type": STRUCTURED}, as_json(paid_event(time=None))).json_body
    native = application.accept(paid(entity_id="order-1"))

    day = accepted["ingest_time"][:10]
    application.replayed(entity_id="order-1", start_time=f"{DAY}T00:00:00Z", end_time="9999-01-01T00:00:00Z")

    assert [version["event_count"] for version in application.versions("order-1", day)] == [1]
    assert [version["sample_event_ids"] for version in application.versions("order-1", DAY)] == [[native["event_id"]]]
    assert day not in (DAY, NEXT_DAY)


def test_a_header_that_was_sent_twice_is_refused_and_kept_as_such(application: Application, storage: Storage) -> None:
    headers = in_binary_mode(paid_event(), b"5").headers
    several = {name: [value] for name, value in headers.items()} | {"ce-id": ["payment-1", "payment-2"]}

    answer = application.handed_over(_sent_through_api_gateway(headers, several))

    assert answer["statusCode"] == 400
    refused = json.loads(answer["body"])
    assert refused["errors"] == [{"field": "id", "message": "was sent more than once"}]
    assert storage.quarantined(refused["rejected_id"])["headers"]["ce-id"] == "payment-1\npayment-2"


def _sent_through_api_gateway(headers: dict[str, str], several: dict[str, list[str]]) -> Json:
    return {
        "requestContext": {"httpMethod": "POST", "resourcePath": "/ingest", "identity": {}},
        "headers": headers,
        "multiValueHeaders": several,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": "NQ==",
        "isBase64Encoded": True,
    }
