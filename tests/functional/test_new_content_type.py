"""A content type is added as CONTRIBUTING.md says: a reader and a description are all that it takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chalicelib.api import operations
from chalicelib.events.event import Form
from chalicelib.ingest import request
from chalicelib.ingest.request import IngestRequest
from tests.functional.application import Application
from tests.functional.events import as_json, paid, without
from tests.functional.storage import Storage

ROOT = Path(__file__).parents[2]
SEQUENCE = "application/json-seq"
"""JSON text sequences (RFC 7464): a record separator before each text."""


def read_sequence(body: bytes) -> IngestRequest:
    """The texts of a sequence, each read as it would be alone."""
    texts = filter(None, map(bytes.strip, body.split(b"\x1e")))
    return IngestRequest(
        tuple(each for text in texts for each in request.READERS[Form.NATIVE](text).submissions), batch=True
    )


def sequence(*texts: bytes) -> bytes:
    return b"".join(b"\x1e%s\n" % text for text in texts)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the recipe's steps change, in the modules that it names."""
    steps = (ROOT / "CONTRIBUTING.md").read_text().split("\n## Add a content type\n")[1].split("\n## ")[0]
    named = re.findall(r"`([\w/]+\.py)`", steps)
    for module, table, entry in (
        (request, "READERS", read_sequence),
        (operations, "EVENT_BODIES", {"type": "string", "description": "A record separator before each event."}),
    ):
        assert f"{module.__name__.replace('.', '/')}.py" in named
        assert f"`{table}`" in steps
        monkeypatch.setitem(getattr(module, table), SEQUENCE, entry)


def test_a_content_type_that_no_reader_reads_is_refused_with_those_that_are_read(application: Application) -> None:
    response = application.ingest(sequence(as_json(paid())), SEQUENCE)

    assert response.status_code == 415
    assert str(response.json_body["detail"]).endswith(f"not as {SEQUENCE}.")
    assert all(media_type in response.json_body["detail"] for media_type in request.READERS)


def test_events_of_an_added_content_type_are_the_events_that_they_are_in_any_other(
    application: Application, added: None
) -> None:
    counts = application.ingest(sequence(as_json(paid(1)), as_json(paid(2))), SEQUENCE).json_body["counts"]

    assert (counts["accepted"], counts["rejected"]) == (2, 0)
    assert application.ingest([paid(1), paid(2)]).json_body["counts"]["duplicate"] == 2


def test_refused_events_of_an_added_content_type_are_kept_together_and_can_be_retried(
    application: Application, storage: Storage, added: None
) -> None:
    broken = [as_json(without(paid(number), "event_time")) for number in range(40)]
    results = application.ingest(sequence(*broken), SEQUENCE).json_body["results"]

    assert len(list(storage.objects("rejected/"))) == 20

    path = f"/rejected/{results[0]['rejected_id']}"
    retried = application.call("POST", f"{path}/retry").json_body["results"]

    assert application.get(path).json_body["events"] == 2
    assert [each["errors"] for each in retried] == [each["errors"] for each in results[:2]]


def test_an_added_content_type_is_in_the_openapi_document(application: Application, added: None) -> None:
    posts = application.get("/openapi.json").json_body["paths"]["/ingest"]["post"]

    assert SEQUENCE in posts["requestBody"]["content"]
