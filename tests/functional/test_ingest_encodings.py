"""POST /ingest: content types, character sets and content encodings."""

from __future__ import annotations

import base64
import gzip

import pytest

from tests.functional.application import JSON, NDJSON, Application
from tests.functional.events import Json, as_json, as_ndjson, paid, paid_several
from tests.functional.storage import Storage, assert_holds


@pytest.mark.parametrize(
    "content_type",
    [
        JSON,
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json;charset=utf8",
        "application/json; charset=us-ascii",
        "application/json; profile=events",
        None,
    ],
)
def test_json_is_taken_however_its_content_type_is_written(
    application: Application, storage: Storage, content_type: str | None
) -> None:
    response = application.ingest(paid(), content_type)

    assert response.status_code == 201
    assert_holds(storage, paid())


@pytest.mark.parametrize("content_type", [NDJSON, "application/x-ndjson; charset=utf-8"])
def test_ndjson_is_taken(application: Application, content_type: str) -> None:
    response = application.ingest(as_ndjson(paid_several(2)), content_type)

    assert response.json_body["counts"]["accepted"] == 2


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "multipart/form-data", "application/gzip", "application/octet-stream", "json"],
)
def test_other_content_types_are_answered_415_naming_those_that_are_taken(
    application: Application, storage: Storage, content_type: str
) -> None:
    response = application.ingest(paid(), content_type)

    assert response.status_code == 415
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json_body["title"] == "Unsupported Media Type"
    assert JSON in response.json_body["detail"]
    assert NDJSON in response.json_body["detail"]
    assert storage.objects() == {}


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", '"windows-1252"'])
def test_other_character_sets_are_answered_415(application: Application, storage: Storage, charset: str) -> None:
    response = application.ingest(paid(), f"application/json; charset={charset}")

    assert response.status_code == 415
    assert "UTF-8" in response.json_body["detail"]
    assert storage.objects() == {}


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_gzip_is_taken(application: Application, storage: Storage, encoding: str) -> None:
    response = application.ingest(gzip.compress(as_json(paid())), encoding=encoding)

    assert response.status_code == 201
    assert_holds(storage, paid())


def test_gzip_is_taken_of_ndjson_too(application: Application, storage: Storage) -> None:
    response = application.ingest(gzip.compress(as_ndjson(paid_several(2))), NDJSON, encoding="gzip")

    assert response.json_body["counts"]["accepted"] == 2
    assert_holds(storage, *paid_several(2))


def test_gzip_without_its_header_and_a_byte_order_mark_are_taken(application: Application, storage: Storage) -> None:
    response = application.ingest(gzip.compress(b"\xef\xbb\xbf" + as_json(paid())))

    assert response.status_code == 201
    assert_holds(storage, paid())


def test_identity_is_no_encoding(application: Application) -> None:
    assert application.ingest(paid(), encoding="identity").status_code == 201


def test_gzip_members_that_follow_one_another_are_one_body(application: Application, storage: Storage) -> None:
    event = as_json(paid())

    response = application.ingest(gzip.compress(event[:20]) + gzip.compress(event[20:]), encoding="gzip")

    assert response.status_code == 201
    assert_holds(storage, paid())


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_other_encodings_are_answered_415(application: Application, storage: Storage, encoding: str) -> None:
    response = application.ingest(paid(), encoding=encoding)

    assert response.status_code == 415
    assert "gzip" in response.json_body["detail"]
    assert storage.objects() == {}


PACKED = gzip.compress(as_json(paid()))
BROKEN = {
    "not gzip at all": as_json(paid()),
    "cut off": PACKED[:-12],
    "without its checksum": PACKED[:-8],
    "with a wrong checksum": PACKED[:-8] + bytes(4) + PACKED[-4:],
    "changed": PACKED[:20] + b"\xff\xff\xff\xff" + PACKED[24:],
    "followed by something else": PACKED + b"{}",
    "with a second member cut off": PACKED + PACKED[:15],
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_gzip_is_answered_400_and_kept_in_quarantine_as_it_was_sent(
    application: Application, storage: Storage, body: bytes
) -> None:
    response = application.ingest(body, encoding="gzip")

    [fault] = response.json_body["errors"]
    kept = storage.quarantined(response.json_body["rejected_id"])
    assert response.status_code == 400
    assert fault["field"] == "body"
    assert fault["message"].startswith("is not a whole gzip stream")
    assert bytes_of(kept) == body
    assert_holds(storage)


def bytes_of(kept: Json) -> bytes:
    text: str | None = kept.get("body")
    return base64.b64decode(kept["body_base64"]) if text is None else text.encode()
