"""The HTTP routes and queue consumers of Retrace: each parses, calls one use case, and answers."""

import json
import os

from chalice.app import Chalice, IAMAuthorizer, Request, Response, SQSEvent

from chalicelib import (
    aggregate_representations,
    http,
    quarantine_representations,
    representations,
    telemetry,
    wiring,
)
from chalicelib.config import queue_name
from chalicelib.domain.aggregate_query import AggregatesQuery, DiffQuery, InputsQuery
from chalicelib.domain.event_query import EventsQuery, FreshnessQuery, GapsQuery, IngestQuery, LateQuery
from chalicelib.domain.messages import Delivery
from chalicelib.domain.rejections import RejectedQuery
from chalicelib.settle import BatchResponse

app = Chalice(app_name="retrace", configure_logs=False)  # telemetry configures them, as JSON
app.register_middleware(telemetry.measured, "all")
signed = IAMAuthorizer()

# Requests of these types reach the function byte by byte through API Gateway; answers stay text.
app.api.binary_types = ["application/x-ndjson", "application/gzip"]
ANY_CONTENT_TYPE = ["*/*"]


def _request() -> Request:
    assert app.current_request is not None, "Chalice sets the request before it calls a view"  # noqa: S101
    return app.current_request


@app.route("/ingest", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@http.answers_problems
def ingest() -> Response:
    """Take events in, or with ?dry_run=true tell what would become of them."""
    request_id = http.request_id(_request())
    submitted = http.ingest_request(_request())
    query, take_in = http.query_of(_request(), IngestQuery), wiring.ingest()
    report = take_in.dry_run(submitted) if query.dry_run else take_in(submitted, request_id)
    telemetry.ingested(report, request_id)
    return http.ingest_answer(report)


@app.route("/events", authorizer=signed)
@http.answers_problems
def events() -> Response:
    """Events of an entity, or of a source and type, in a window."""
    return http.answer(representations.events(wiring.search_events()(http.query_of(_request(), EventsQuery))))


@app.route("/late", authorizer=signed)
@http.answers_problems
def late() -> Response:
    """Late arrivals of a day, and what they touch."""
    return http.answer(representations.late(wiring.list_late()(http.query_of(_request(), LateQuery))))


@app.route("/gaps", authorizer=signed)
@http.answers_problems
def gaps() -> Response:
    """Hours or days without events."""
    query = http.query_of(_request(), GapsQuery)
    return http.answer(representations.gaps(query, wiring.find_gaps()(query)))


@app.route("/freshness", authorizer=signed)
@http.answers_problems
def freshness() -> Response:
    """The newest event of a source and type; 503 if it is older than asked for."""
    query = http.query_of(_request(), FreshnessQuery)
    found = wiring.check_freshness()(query)
    return http.monitor_answer(representations.freshness(query, found), good=found.fresh)


@app.route("/events/{event_id}", authorizer=signed)
@http.answers_problems
def event(event_id: str) -> Response:
    """What is known of an event, its later arrivals, and the aggregates it went into."""
    return http.answer(representations.event_history(wiring.investigate_event()(event_id)))


@app.route("/events/{event_id}/raw", authorizer=signed)
@http.answers_problems
def raw_event(event_id: str) -> Response:
    """The event's own text, its hash checked."""
    line = wiring.investigate_event().raw_line(event_id)
    return http.raw_answer(line.event, line.content_sha256)


@app.route("/replay", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@http.answers_problems
def request_replay() -> Response:
    """Ask for a replay; it runs on its own."""
    job = wiring.request_replay()(http.replay_request(_request()), http.caller(_request()))
    telemetry.replay_requested(job, http.request_id(_request()))
    return http.accepted(representations.replay_job(job))


@app.route("/replay/{replay_id}", authorizer=signed)
@http.answers_problems
def replay(replay_id: str) -> Response:
    """A replay and how far it is."""
    return http.answer(representations.replay_job(wiring.find_replay()(replay_id)))


@app.route("/aggregates", authorizer=signed)
@http.answers_problems
def aggregates() -> Response:
    """Every version of an entity's daily aggregate."""
    found = wiring.investigate_aggregates()(http.query_of(_request(), AggregatesQuery))
    return http.answer(aggregate_representations.daily_aggregates(found))


@app.route("/aggregates/inputs", authorizer=signed)
@http.answers_problems
def aggregate_inputs() -> Response:
    """The events that went into one version."""
    return http.answer(
        aggregate_representations.inputs(wiring.trace_versions().inputs(http.query_of(_request(), InputsQuery)))
    )


@app.route("/aggregates/diff", authorizer=signed)
@http.answers_problems
def aggregate_difference() -> Response:
    """What two versions do not share."""
    query = http.query_of(_request(), DiffQuery)
    return http.answer(aggregate_representations.difference(query, wiring.trace_versions().difference(query)))


@app.route("/rejected", authorizer=signed)
@http.answers_problems
def rejections() -> Response:
    """What was refused on a day, and why."""
    found = wiring.review_quarantine()(http.query_of(_request(), RejectedQuery))
    return http.answer(quarantine_representations.rejections(found))


@app.route("/rejected/{rejected_id}", authorizer=signed)
@http.answers_problems
def rejection(rejected_id: str) -> Response:
    """A refused event with its body, and what came of its retries."""
    return http.answer(quarantine_representations.rejection(wiring.review_quarantine().kept(rejected_id)))


@app.route("/rejected/{rejected_id}/retry", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@http.answers_problems
def retry_rejected(rejected_id: str) -> Response:
    """Send a refused event through ingest again, as it was kept or as the body corrects it."""
    asked = http.retry_request(_request())
    report = wiring.review_quarantine().retry(rejected_id, asked)
    telemetry.ingested(report, asked.request_id)
    return http.ingest_answer(report)


@app.route("/openapi.json", authorizer=signed)
@http.answers_problems
def openapi_document() -> Response:
    """This API, described in OpenAPI 3.1."""
    return http.answer(wiring.openapi_document())


@app.route("/health", authorizer=signed)
@http.answers_problems
def health() -> Response:
    """Whether the API answers."""
    return http.answer({"status": "ok"})


@app.on_sqs_message(queue=queue_name(os.environ, "replay-jobs"), batch_size=1)
def planner(event: SQSEvent) -> None:
    """Plan one slice of a replay."""
    for record in event:
        replay_id = json.loads(record.body)["replay_id"]
        sent = wiring.plan_replay()(replay_id, http.time_left_ms(event))
        telemetry.planned(replay_id, sent)


@app.on_sqs_message(queue=queue_name(os.environ, "replay"), batch_size=10)
def processor(event: SQSEvent) -> BatchResponse:
    """Turn replayed events into daily aggregates."""
    deliveries = [Delivery(record.to_dict()["messageId"], record.receipt_handle, record.body) for record in event]
    report = wiring.process()(deliveries)
    telemetry.processed(report)
    return wiring.settle()(deliveries, report.failures)
