"""The routes about replays."""

from __future__ import annotations

import re

from chalice.app import Request, Response

from chalicelib.api import requests
from chalicelib.api.responses import accepted, answer, problem
from chalicelib.core.errors import Fault, InvalidRequest
from chalicelib.core.fields import is_sha256
from chalicelib.processing.reported import parse_report
from chalicelib.processing.responses import report as reported
from chalicelib.replays import responses
from chalicelib.replays.events_file import LINE_BYTES
from chalicelib.replays.job import Requester
from chalicelib.replays.preview_report import ConfirmationNeeded
from chalicelib.replays.request import MAX_REPLAYS, EventsFileQuery, ReplayQuery, ReplaysQuery
from chalicelib.replays.request_body import parse_with_drafts
from chalicelib.replays.schemas import destination_list, upload_shape
from chalicelib.runtime import consumer_wiring, replay_wiring, system, telemetry

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def request_replay(request: Request) -> Response:
    """POST /replay."""
    query = requests.parameters(request, ReplayQuery)
    parsed, use_case = parse_with_drafts(requests.body_of(request)), replay_wiring.request_replay()
    if query.dry_run:
        return answer(responses.preview(use_case.dry_run(parsed.request, parsed.drafts)))
    try:
        job = use_case.request(parsed.request, _requester(request), parsed.drafts)
    except ConfirmationNeeded as error:
        return problem(error, {"preview": responses.preview(error.preview)})
    telemetry.replay_requested(job, requests.request_id(request))
    return accepted(responses.job(job, system.now()))


def destinations(request: Request) -> Response:
    """GET /destinations. It costs a query for the newest replays, and a read of each."""
    requests.refuse_parameters(request)
    newest = replay_wiring.find_replays().newest(ReplaysQuery(limit=MAX_REPLAYS)).jobs
    return answer(destination_list(replay_wiring.destinations(), newest))


def offer_upload(request: Request, sha256: str) -> Response:
    """PUT /events-files/{sha256}."""
    query = requests.parameters(request, EventsFileQuery)
    if not is_sha256(sha256):
        fault = Fault("sha256", "must be the SHA-256 of the file: 64 lowercase hexadecimal digits")
        raise InvalidRequest("The name of the file is not valid.", (fault,))
    found = replay_wiring.named_events().offer(sha256, query.events * LINE_BYTES)
    return answer(upload_shape(sha256, found, query.events))


def _requester(request: Request) -> Requester:
    """The requester of a replay, and the idempotency key of the request, if any."""
    key = requests.headers_of(request).get(requests.IDEMPOTENCY_KEY.lower())
    if key is not None and not _KEY.fullmatch(key):
        fault = Fault(requests.IDEMPOTENCY_KEY, "must be given once, with 1 to 255 visible ASCII characters")
        raise InvalidRequest("The idempotency key is not valid.", (fault,))
    return Requester(requests.caller(request), key)


def replays(request: Request) -> Response:
    """GET /replay."""
    query = requests.parameters(request, ReplaysQuery)
    found = replay_wiring.find_replays().newest(query)
    return answer(responses.jobs(found, system.now()))


def replay(replay_id: str) -> Response:
    """GET /replay/{replay_id}."""
    job = replay_wiring.find_replays().one(replay_id)
    return answer(responses.job(job, system.now()))


def cancel(request: Request, replay_id: str) -> Response:
    """POST /replay/{replay_id}/cancel."""
    requests.refuse_body(request)
    caller = requests.caller(request)
    job = replay_wiring.control_replay().cancel(replay_id, caller)
    telemetry.replay_controlled(job, "cancel", caller)
    return answer(responses.job(job, system.now()))


def redrive(request: Request, replay_id: str) -> Response:
    """POST /replay/{replay_id}/redrive."""
    requests.refuse_body(request)
    job = replay_wiring.control_replay().redrive(replay_id)
    telemetry.replay_controlled(job, "redrive", requests.caller(request))
    return accepted(responses.job(job, system.now()))


def outcomes(request: Request, replay_id: str) -> Response:
    """POST /replay/{replay_id}/outcomes."""
    report = parse_report(requests.body_of(request))
    recorded = consumer_wiring.record_reported_outcomes().record(replay_id, report, requests.signer(request))
    telemetry.replay_controlled(recorded.job, "report outcomes", requests.caller(request))
    return answer(reported(recorded))
