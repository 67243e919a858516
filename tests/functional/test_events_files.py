"""Files of events: uploaded once by their hash, and replayed, each event that there is once."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant
from chalicelib.replays import estimate, preview
from chalicelib.replays.events_file import MAX_EVENTS, MONTHS_FOUND, content_of
from chalicelib.replays.s3 import UPLOAD_S
from chalicelib.replays.tasks import RECEIVES
from chalicelib.runtime import replay_wiring, system
from tests.conftest import SETTINGS
from tests.functional import clients
from tests.functional.application import Application
from tests.functional.emulators import Emulator
from tests.functional.events import DAY, NEXT_DAY, Json, paid
from tests.functional.test_missing import A_DOLLAR, looked_up
from tests.functional.wire import Wire

UNKNOWN = ["0" * 64, "f" * 64]


@dataclass(frozen=True)
class Uploading:
    """Offers uploads and makes them, as the command line does."""

    application: Application
    emulator: Emulator

    def offered(self, content: bytes) -> Json:
        """PUT /events-files/{sha256}."""
        name = sha256(content).hexdigest()
        answer: Json = self.application.call("PUT", f"/events-files/{name}?events={len(content) // 65}").json_body
        return answer

    def put(self, upload: Json, body: bytes) -> int:
        """Send an upload as it was offered."""
        request = AWSPreparedRequest(upload["method"], upload["url"], upload["headers"], body, stream_output=False)
        return self.emulator.deliver("before-send.s3.PutObject", request).status_code

    def uploaded(self, ids: list[str]) -> str:
        """Upload a file that must be new; answers its name."""
        content = content_of(ids)
        offer = self.offered(content)
        assert self.put(offer["upload"], content) == 200
        name: str = offer["events_file"]
        return name


@pytest.fixture
def uploading(application: Application, emulator: Emulator) -> Uploading:
    return Uploading(application, emulator)


@pytest.fixture
def accepted(application: Application) -> list[str]:
    """The ids of five events of one entity and day."""
    return [each["event_id"] for each in application.accept_all([paid(number) for number in range(1, 6)])]


def stored() -> list[str]:
    """The keys of all files of events."""
    found = clients.s3().list_objects_v2(Bucket=SETTINGS["RAW_BUCKET"], Prefix="events-files/")
    return [each["Key"] for each in found.get("Contents", [])]


def test_a_replay_of_a_file_sends_each_event_that_there_is_once_and_counts_the_others(
    application: Application, uploading: Uploading, accepted: list[str]
) -> None:
    name = uploading.uploaded([*accepted[:3], *UNKNOWN, *accepted[:2]])

    replay_id, messages = application.planned(events_file=name)

    assert sorted(found.members["event_id"] for found in messages) == sorted(accepted[:3])
    job = application.job(replay_id)
    assert (job["scanned"], job["matched"], job["sent"], job["not_found"]) == (5, 3, 3, 2)
    assert job["index_read_to"] is None


def test_a_preview_says_how_large_the_file_is_and_which_ids_no_event_has(
    application: Application, uploading: Uploading, accepted: list[str]
) -> None:
    name = uploading.uploaded([*accepted, *UNKNOWN])

    preview = application.preview({"events_file": name}).json_body

    assert preview["events_file"] == {"bytes": 7 * 65, "events": 7, "not_found": 2, "not_found_ids": UNKNOWN}
    assert (preview["messages"], preview["exact"], preview["by_day"]) == (5, True, {DAY: 5})
    assert preview["estimated_cost_usd"] > 0


@pytest.mark.parametrize("counted", [True, False])
def test_a_preview_prices_the_look_up_of_each_id(  # noqa: PLR0913, PLR0917  # fixtures
    application: Application,
    uploading: Uploading,
    accepted: list[str],
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    counted: bool,  # noqa: FBT001
) -> None:
    name = uploading.uploaded([*accepted, *UNKNOWN])
    monkeypatch.setattr(estimate, "LOOKED_UP", A_DOLLAR)
    with monkeypatch.context() as bounded:
        bounded.setattr(preview, "REQUEST_US", 18_000_000 if counted else 1)
        told = application.preview({"events_file": name}).json_body
    keys = looked_up(wire)

    application.requested_and_planned(events_file=name, max_messages=10)

    assert (len(keys), told["exact"]) == (7, counted)
    assert 7 <= told["estimated_cost_usd"] <= 7.001


def test_of_many_ids_that_no_event_has_a_preview_counts_all_and_names_twenty(
    application: Application, uploading: Uploading
) -> None:
    ids = [f"{number:064x}" for number in range(30)]

    preview = application.preview({"events_file": uploading.uploaded(ids)}).json_body

    assert preview["events_file"] == {"bytes": 30 * 65, "events": 30, "not_found": 30, "not_found_ids": ids[:20]}
    assert preview["advice"] == "No event has any id of the file. GET /events lists events with their ids."


def test_a_replay_of_no_event_that_there_is_says_so(application: Application, uploading: Uploading) -> None:
    name = uploading.uploaded(UNKNOWN)

    job = application.job(application.requested_and_planned(events_file=name))

    assert (job["state"], job["sent"], job["not_found"]) == ("COMPLETE", 0, 2)
    assert job["advice"] == "No event has any id of the file. GET /events lists events with their ids."


def test_filters_whole_days_and_destinations_go_with_a_file(
    application: Application, uploading: Uploading, accepted: list[str]
) -> None:
    name = uploading.uploaded(accepted[:1])

    def sent(**more: object) -> int:
        return len(application.planned(events_file=name, **more)[1])

    assert sent(exclude={"event_ids": accepted[:1]}) == 0
    assert sent(whole_days=True) == 5
    application.requested_and_planned(events_file=name, destination="billing")
    assert len(application.billing.taken()) == 1


def test_of_a_file_it_is_told_apart_what_was_sent_before_what_was_not_and_what_does_not_exist(
    reporting: Application, uploading: Uploading, accepted: list[str]
) -> None:
    nothing = reporting.requested_and_planned(events_file=uploading.uploaded(UNKNOWN), destination="billing")
    some = {"events_file": uploading.uploaded([*accepted[:2], *UNKNOWN]), "destination": "billing"}
    reporting.requested_and_planned(**some)

    again = reporting.preview({**some, "only": "not_sent_to"}).json_body
    left = reporting.preview({"only": "unprocessed", "of": nothing}).json_body

    assert again["advice"] == "Each of the 2 events was sent to billing before, or passes no filter."
    assert left["advice"] == f"Replay {nothing} sent no message."


@pytest.mark.parametrize("ask", ["preview", "request_replay"])
def test_a_fifo_queue_gets_the_events_of_a_file_only_in_the_order_of_their_times(
    application: Application, uploading: Uploading, accepted: list[str], ask: str
) -> None:
    request = {"events_file": uploading.uploaded(accepted[:2]), "destination": "ordered"}

    answer = getattr(application, ask)(request)

    assert answer.status_code == 400
    [fault] = answer.json_body["errors"]
    assert fault["field"] == "destination"
    assert "Add whole_days" in fault["message"]
    assert getattr(application, ask)({**request, "whole_days": True}).status_code in {200, 202}


def test_the_same_file_is_one_object_however_often_it_is_uploaded(
    application: Application, uploading: Uploading, accepted: list[str]
) -> None:
    content = content_of(accepted)
    offer = uploading.offered(content)
    assert uploading.put(offer["upload"], content) == 200

    again = uploading.put(offer["upload"], content)

    assert again == 412
    assert uploading.offered(content) == {**offer, "upload": None}
    assert len(stored()) == 1


def test_an_upload_is_signed_for_one_key_one_content_and_a_quarter_of_an_hour(uploading: Uploading) -> None:
    content = content_of(UNKNOWN)

    upload = uploading.offered(content)["upload"]

    url, query = urlsplit(upload["url"]), parse_qs(urlsplit(upload["url"]).query)
    [month] = {upload["expires_at"][:7], system.now()[:7]} & {url.path.split("/")[-2]}
    assert url.path.endswith(f"events-files/{month}/{sha256(content).hexdigest()}.txt")
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == [str(UPLOAD_S)]
    assert upload["headers"] == {
        "Content-Length": "130",
        "Content-Type": "text/plain",
        "If-None-Match": "*",
        "x-amz-checksum-sha256": b64encode(sha256(content).digest()).decode(),
        "x-amz-sdk-checksum-algorithm": "SHA256",
    }
    signed = {"host", *map(str.lower, upload["headers"])}
    assert set(query["X-Amz-SignedHeaders"][0].split(";")) == signed


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/events-files/short?events=1", "sha256"),
        (f"/events-files/{'A' * 64}?events=1", "sha256"),
        (f"/events-files/{'a' * 64}", "events"),
        (f"/events-files/{'a' * 64}?events=0", "events"),
        (f"/events-files/{'a' * 64}?events={MAX_EVENTS + 1}", "events"),
    ],
)
def test_an_upload_needs_a_hash_and_a_size_within_the_bounds(application: Application, path: str, field: str) -> None:
    answer = application.call("PUT", path)

    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json_body["errors"]] == [field]


@pytest.mark.parametrize("ask", ["preview", "request_replay"])
def test_a_file_that_is_not_there_is_refused_with_the_command_that_uploads_it(
    application: Application, ask: str
) -> None:
    answer = getattr(application, ask)({"events_file": "a" * 64, "max_messages": 1})

    assert answer.status_code == 400
    [fault] = answer.json_body["errors"]
    assert fault["field"] == "events_file"
    assert "retrace replay create --events FILE" in fault["message"]


def test_more_ids_than_a_request_takes_are_refused_with_the_command_that_uploads_them(
    application: Application,
) -> None:
    ids = [f"{number:064x}" for number in range(501)]
    window = {"start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}

    answer = application.request_replay({"entity_id": "order-1", **window, "include": {"event_ids": ids}})

    assert answer.status_code == 400
    said = "has 501 ids. At most 500 are allowed. Upload more in a file: retrace replay create --events FILE"
    assert answer.json_body["errors"] == [{"field": "include.event_ids", "message": said}]


@pytest.mark.parametrize(
    "content",
    [
        content_of(UNKNOWN)[:-65],
        content_of(UNKNOWN)[:-1],
        content_of([UNKNOWN[0], "e" * 64]),
        b"".join(f"{each}\n".encode() for each in reversed(UNKNOWN)),
        content_of(UNKNOWN[:1]) * 2,
    ],
    ids=["shorter", "cut", "other ids", "another order", "twice the same"],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_by_planners_and_previews(
    application: Application, uploading: Uploading, accepted: list[str], content: bytes
) -> None:
    name = uploading.uploaded(UNKNOWN)
    replay_id = application.requested(events_file=name)
    clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=stored()[0], Body=content)

    [task] = application.jobs.taken()[:1]
    with pytest.raises(Exception, match="events file"):
        application.call_planner(task, receives=RECEIVES)

    assert application.preview({"events_file": name}).status_code == 500
    job = application.job(replay_id)
    assert (job["state"], job["sent"]) == ("FAILED", 0)
    assert name in job["failure"]


def test_a_file_that_is_replaced_after_it_was_found_is_not_read(uploading: Uploading) -> None:
    files = replay_wiring.events_files()
    found = files.find(uploading.uploaded(UNKNOWN), system.now(), MONTHS_FOUND)
    assert found is not None
    clients.s3().put_object(Bucket=SETTINGS["RAW_BUCKET"], Key=found.key, Body=content_of(["a" * 64, "b" * 64]))

    with pytest.raises(IntegrityFailure, match="replaced"):
        files.read(found, 0, 65)


@pytest.mark.parametrize("request_", [{}, {"max_messages": 1}, {"only": "not_sent_to"}])
@pytest.mark.parametrize("ask", ["preview", "request_replay"])
def test_a_file_that_its_client_made_malformed_is_refused_with_the_line_and_what_to_do(
    application: Application, uploading: Uploading, ask: str, request_: Json
) -> None:
    content = b"".join(f"{each}\n".encode() for each in reversed(UNKNOWN))
    offer = uploading.offered(content)
    assert uploading.put(offer["upload"], content) == 200
    to = {"destination": "billing"} if "only" in request_ else {}

    answer = getattr(application, ask)({"events_file": offer["events_file"], **request_, **to})

    assert answer.status_code == 400
    [fault] = answer.json_body["errors"]
    assert fault["field"] == "events_file"
    assert fault["message"].startswith("line 2 must come before line 1. Sort the ids, without duplicates")
    assert "retrace replay create --events FILE" in fault["message"]
    assert application.get("/replay").json_body["items"] == []


def test_a_job_whose_file_is_malformed_fails_at_its_first_planner(
    application: Application, uploading: Uploading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that counting did not come to the end of, or that was requested before malformed files were refused."""
    content = b"".join(f"{each}\n".encode() for each in reversed(UNKNOWN))
    offer = uploading.offered(content)
    assert uploading.put(offer["upload"], content) == 200
    monkeypatch.setattr(preview, "REQUEST_US", 1)
    replay_id = application.requested(events_file=offer["events_file"], confirm=2)

    [task] = application.jobs.taken()[:1]
    application.call_planner(task)

    job = application.job(replay_id)
    assert (job["state"], job["sent"]) == ("FAILED", 0)
    assert "line 2 must come before line 1. Sort the ids" in job["failure"]
    assert job["advice"] is None  # a redrive would read the same file


def test_a_file_is_found_in_the_month_of_its_upload_and_the_next_and_read_for_as_long_as_it_is_kept(
    application: Application, uploading: Uploading, accepted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = content_of(accepted[:1])
    monkeypatch.setattr(system, "now", lambda: Instant("2026-01-31T23:59:59.000000000Z"))
    name = uploading.uploaded(accepted[:1])
    replay_id = application.requested(events_file=name)

    monkeypatch.setattr(system, "now", lambda: Instant("2026-02-28T00:00:00.000000000Z"))
    assert uploading.offered(content)["upload"] is None
    monkeypatch.setattr(system, "now", lambda: Instant("2026-03-31T00:00:00.000000000Z"))
    assert "events-files/2026-03/" in uploading.offered(content)["upload"]["url"]
    assert application.preview({"events_file": name}).status_code == 200
    monkeypatch.setattr(system, "now", lambda: Instant("2026-04-01T00:00:00.000000000Z"))
    assert application.preview({"events_file": name}).status_code == 400
    monkeypatch.setattr(system, "now", lambda: Instant("2026-09-27T00:00:00.000000000Z"))
    application.plan()

    assert application.job(replay_id)["sent"] == 1
