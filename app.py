"""The HTTP routes, queue consumers and schedule of Retrace: each parses, calls one use case, and answers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Request, Response, SQSEvent

from chalicelib.aggregates import responses as aggregates_responses
from chalicelib.api import query_parameters
from chalicelib.api import requests as api_requests
from chalicelib.api import responses as api_responses
from chalicelib.quarantine import responses as quarantine_responses
from chalicelib.replays import responses as replays_responses
from chalicelib.replays.tasks import parse_task
from chalicelib.runtime import consumer_wiring, deadline, telemetry, wiring
from chalicelib.runtime.event_sources import (
    DEAD_LETTER_CONCURRENCY,
    planner_concurrency,
    processor_concurrency,
    queue_name,
    refuse_unrecorded,
)
from chalicelib.search import responses as search_responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.processing.acknowledge import BatchResponse

refuse_unrecorded(os.environ, sys.argv)

app = Chalice(app_name="retrace", configure_logs=False)  # telemetry configures them, as JSON
app.register_middleware(telemetry.measured, "all")
app.register_middleware(api_requests.within_its_time, "all")
signed = IAMAuthorizer()


@app.middleware("http")
@api_responses.answers_problems
def admitted(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """In front of every route: go on only with what is signed."""
    wiring.admit()(api_requests.signer(request), api_requests.webhook(request))
    return get_response(request)


# Requests of these types reach the function byte by byte through API Gateway; answers stay text.
app.api.binary_types = ["application/x-ndjson", "application/gzip"]
ANY_CONTENT_TYPE = ["*/*"]


def _request() -> Request:
    assert app.current_request is not None, "Chalice sets the request before it calls a view"  # noqa: S101
    return app.current_request


@app.route("/ingest", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@api_responses.answers_problems
def ingest() -> Response:
    """Take events in, or with ?dry_run=true tell what would become of them."""
    request_id = api_requests.request_id(_request())
    submitted = api_requests.ingest_request(_request())
    query, take_in = query_parameters.ingest(_request()), wiring.ingest()
    report = take_in.dry_run(submitted) if query.dry_run else take_in(submitted, request_id)
    telemetry.ingested(report, request_id)
    return api_responses.ingest_answer(report)


@app.route("/events", authorizer=signed)
@api_responses.answers_problems
def events() -> Response:
    """Events of an entity, or of a source and type, in a window."""
    return api_responses.answer(search_responses.events(wiring.search_events()(query_parameters.events(_request()))))


@app.route("/late", authorizer=signed)
@api_responses.answers_problems
def late() -> Response:
    """Late arrivals of a day, and what they touch."""
    return api_responses.answer(search_responses.late(wiring.list_late()(query_parameters.late(_request()))))


@app.route("/gaps", authorizer=signed)
@api_responses.answers_problems
def gaps() -> Response:
    """Hours or days without events."""
    query = query_parameters.gaps(_request())
    return api_responses.answer(search_responses.gaps(query, wiring.find_gaps()(query)))


@app.route("/freshness", authorizer=signed)
@api_responses.answers_problems
def freshness() -> Response:
    """The newest event of a source and type; 503 if it is older than asked for."""
    query = query_parameters.freshness(_request())
    found = wiring.check_freshness()(query)
    return api_responses.monitor_answer(search_responses.freshness(query, found), good=found.fresh)


@app.route("/events/{event_id}", authorizer=signed)
@api_responses.answers_problems
def event(event_id: str) -> Response:
    """What is known of an event, its later arrivals, and the aggregates it went into."""
    return api_responses.answer(search_responses.event_history(wiring.investigate_event()(event_id)))


@app.route("/events/{event_id}/raw", authorizer=signed)
@api_responses.answers_problems
def raw_event(event_id: str) -> Response:
    """The event's own text, its hash checked."""
    line = wiring.investigate_event().raw_line(event_id)
    return api_responses.raw_answer(line.event, line.content_sha256)


@app.route("/replay", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@api_responses.answers_problems
def request_replay() -> Response:
    """Ask for a replay, which runs on its own, or with dry_run for what it would send."""
    asked = api_requests.replay_request(_request())
    if asked.dry_run:
        return api_responses.answer(replays_responses.preview(wiring.preview_replay()(asked)))
    job = wiring.request_replay()(asked, api_requests.requester(_request()))
    telemetry.replay_requested(job, api_requests.request_id(_request()))
    return api_responses.accepted(replays_responses.job(job))


@app.route("/replay", authorizer=signed)
@api_responses.answers_problems
def replays() -> Response:
    """Replays and how far they are, newest first."""
    return api_responses.answer(replays_responses.jobs(wiring.find_replays()(query_parameters.replays(_request()))))


@app.route("/replay/{replay_id}", authorizer=signed)
@api_responses.answers_problems
def replay(replay_id: str) -> Response:
    """A replay and how far it is."""
    return api_responses.answer(replays_responses.job(wiring.find_replays().one(replay_id)))


@app.route("/replay/{replay_id}/cancel", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@api_responses.answers_problems
def cancel_replay(replay_id: str) -> Response:
    """Send nothing more of a replay, and drop what was sent and not processed."""
    caller = api_requests.bare_request(_request())
    job = wiring.control_replay().cancel(replay_id, caller)
    telemetry.replay_controlled(job, "cancel", caller)
    return api_responses.answer(replays_responses.job(job))


@app.route("/replay/{replay_id}/redrive", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@api_responses.answers_problems
def redrive_replay(replay_id: str) -> Response:
    """Move a replay's dead letters back to the queue, and plan on where its planner has given up."""
    caller = api_requests.bare_request(_request())
    job = wiring.control_replay().redrive(replay_id)
    telemetry.replay_controlled(job, "redrive", caller)
    return api_responses.accepted(replays_responses.job(job))


@app.route("/aggregates", authorizer=signed)
@api_responses.answers_problems
def aggregates() -> Response:
    """Every version of an entity's daily aggregate."""
    found = wiring.investigate_aggregates()(query_parameters.aggregates(_request()))
    return api_responses.answer(aggregates_responses.daily_aggregates(found))


@app.route("/aggregates/inputs", authorizer=signed)
@api_responses.answers_problems
def aggregate_inputs() -> Response:
    """The events that went into one version."""
    return api_responses.answer(
        aggregates_responses.inputs(wiring.trace_versions().inputs(query_parameters.inputs(_request())))
    )


@app.route("/aggregates/diff", authorizer=signed)
@api_responses.answers_problems
def aggregate_difference() -> Response:
    """What two versions do not share."""
    query = query_parameters.diff(_request())
    return api_responses.answer(aggregates_responses.difference(query, wiring.trace_versions().difference(query)))


@app.route("/rejected", authorizer=signed)
@api_responses.answers_problems
def rejections() -> Response:
    """What was refused on a day, and why."""
    found = wiring.review_quarantine()(query_parameters.rejected(_request()))
    return api_responses.answer(quarantine_responses.rejections(found))


@app.route("/rejected/{rejected_id}", authorizer=signed)
@api_responses.answers_problems
def rejection(rejected_id: str) -> Response:
    """A refused event with its body, and what came of its retries."""
    return api_responses.answer(quarantine_responses.rejection(wiring.review_quarantine().kept(rejected_id)))


@app.route("/rejected/{rejected_id}/retry", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@api_responses.answers_problems
def retry_rejected(rejected_id: str) -> Response:
    """Send a refused event through ingest again, as it was kept or as the body corrects it."""
    asked = api_requests.retry_request(_request())
    report = wiring.review_quarantine().retry(rejected_id, asked)
    telemetry.ingested(report, asked.request_id)
    return api_responses.ingest_answer(report)


@app.route("/openapi.json", authorizer=signed)
@api_responses.answers_problems
def openapi_document() -> Response:
    """This API, described in OpenAPI 3.1."""
    from chalicelib.api import openapi  # noqa: PLC0415  # every answer's model: no other route needs one

    return api_responses.answer(openapi.document())


@app.route("/health", authorizer=signed)
@api_responses.answers_problems
def health() -> Response:
    """Whether the API answers."""
    return api_responses.answer({"status": "ok"})


@app.on_sqs_message(
    queue=queue_name(os.environ, "replay-jobs"),
    batch_size=1,
    maximum_concurrency=planner_concurrency(os.environ),
)
def planner(event: SQSEvent) -> None:
    """Work on one slice of a replay."""
    for record in event:
        task = parse_task(record.body)
        worked = consumer_wiring.work_on_replay()(task, deadline.time_left_ms, api_requests.times_received(record))
        telemetry.worked_on(task, worked)


@app.on_sqs_message(
    queue=queue_name(os.environ, "replay"),
    batch_size=10,
    maximum_concurrency=processor_concurrency(os.environ),
)
def processor(event: SQSEvent) -> BatchResponse:
    """Turn replayed events into daily aggregates."""
    deliveries = api_requests.deliveries(event)
    report = consumer_wiring.process()(deliveries)
    telemetry.processed(report)
    return consumer_wiring.acknowledge_batch()(deliveries, report.failures)


@app.on_sqs_message(
    queue=queue_name(os.environ, "replay-failures"), batch_size=10, maximum_concurrency=DEAD_LETTER_CONCURRENCY
)
def dead_letters(event: SQSEvent) -> BatchResponse:
    """Count messages that were received too often, and keep them."""
    deliveries = api_requests.deliveries(event)
    report = consumer_wiring.record_dead_letters()(deliveries)
    telemetry.dead_lettered(report)
    return consumer_wiring.acknowledge_dead_letters()(deliveries, report.failures)


@app.schedule(Rate(1, unit=Rate.HOURS))
def digest(_event: CloudWatchEvent) -> None:
    """List and sign the raw objects that were written since the last digest."""
    if (write := consumer_wiring.write_digests()) is not None:
        telemetry.digested(write(deadline.time_left_ms))
