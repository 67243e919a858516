"""The HTTP routes, queue consumers and schedule of Retrace: each parses, calls one use case, and answers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Request, Response, SQSEvent

import chalicelib.runtime.system  # noqa: F401  # boto3 is imported while Lambda initialises a function
from chalicelib import api
from chalicelib.api.middleware import as_problem_response, with_deadline
from chalicelib.api.responses import answer
from chalicelib.runtime import telemetry
from chalicelib.runtime.event_sources import (
    DEAD_LETTER_CONCURRENCY,
    planner_concurrency,
    processor_concurrency,
    queue_name,
    refuse_unrecorded,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.processing.processor import BatchResponse

refuse_unrecorded(os.environ, sys.argv)

app = Chalice(app_name="retrace", configure_logs=False)  # telemetry configures them, as JSON
app.register_middleware(telemetry.flush_metrics, "all")
app.register_middleware(with_deadline, "all")
signed = IAMAuthorizer()


@app.middleware("http")
@as_problem_response
def admitted(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """In front of every route: go on only with what is signed."""
    api.requests.admit(request)
    return get_response(request)


# Requests of these types reach the function byte by byte through API Gateway; answers stay text.
app.api.binary_types = ["application/x-ndjson", "application/gzip"]
ANY_CONTENT_TYPE = ["*/*"]


def _request() -> Request:
    assert app.current_request is not None, "Chalice sets the request before it calls a view"  # noqa: S101
    return app.current_request


@app.route("/ingest", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def ingest() -> Response:
    """Ingest events, or with ?dry_run=true report what would happen to them."""
    return api.ingest.ingest(_request())


@app.route("/events", authorizer=signed)
@as_problem_response
def events() -> Response:
    """List events of an entity, or of a source and type, in a window."""
    return api.search.events(_request())


@app.route("/late", authorizer=signed)
@as_problem_response
def late() -> Response:
    """Late arrivals of a day, and what they touch."""
    return api.search.late(_request())


@app.route("/late/summary", authorizer=signed)
@as_problem_response
def late_summary() -> Response:
    """How many events came late, by source, type and hour of arrival."""
    return api.search.late_summary(_request())


@app.route("/stale", authorizer=signed)
@as_problem_response
def stale() -> Response:
    """Daily aggregates whose newest version lacks events that came late."""
    return api.search.stale(_request())


@app.route("/gaps", authorizer=signed)
@as_problem_response
def gaps() -> Response:
    """Hours or days without events."""
    return api.search.gaps(_request())


@app.route("/sources", authorizer=signed)
@as_problem_response
def sources() -> Response:
    """Every source and type, since when and until when it was seen."""
    return api.search.sources(_request())


@app.route("/freshness", authorizer=signed)
@as_problem_response
def freshness() -> Response:
    """The newest event of a source and type; 503 if it is older than asked for."""
    return api.search.freshness(_request())


@app.route("/events/{event_id}", authorizer=signed)
@as_problem_response
def event(event_id: str) -> Response:
    """What is known of an event, its later arrivals, and the aggregates it went into."""
    return api.search.event(event_id)


@app.route("/events/{event_id}/raw", authorizer=signed)
@as_problem_response
def raw_event(event_id: str) -> Response:
    """The event's own text, its hash checked."""
    return api.search.raw_event(event_id)


@app.route("/replay", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def request_replay() -> Response:
    """Ask for a replay, which runs on its own, or with ?dry_run=true for what it would send."""
    return api.replays.request_replay(_request())


@app.route("/replay", authorizer=signed)
@as_problem_response
def replays() -> Response:
    """Replays and how far they are, newest first."""
    return api.replays.replays(_request())


@app.route("/replay/{replay_id}", authorizer=signed)
@as_problem_response
def replay(replay_id: str) -> Response:
    """A replay and how far it is."""
    return api.replays.replay(replay_id)


@app.route("/replay/{replay_id}/cancel", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def cancel_replay(replay_id: str) -> Response:
    """Send nothing more of a replay, and drop what was sent and not processed."""
    return api.replays.cancel(_request(), replay_id)


@app.route("/replay/{replay_id}/redrive", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def redrive_replay(replay_id: str) -> Response:
    """Move a replay's dead letters back to the queue, and plan on where its planner has given up."""
    return api.replays.redrive(_request(), replay_id)


@app.route("/replay/{replay_id}/outcomes", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def report_outcomes(replay_id: str) -> Response:
    """Record what a consumer reports of the messages that a replay sent it."""
    return api.replays.outcomes(_request(), replay_id)


@app.route("/events-files/{sha256}", methods=["PUT"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def offer_upload(sha256: str) -> Response:
    """Say how to upload a file of event ids, unless it is there."""
    return api.replays.offer_upload(_request(), sha256)


@app.route("/aggregates", authorizer=signed)
@as_problem_response
def aggregates() -> Response:
    """Every version of an entity's daily aggregate."""
    return api.aggregates.aggregates(_request())


@app.route("/aggregates/inputs", authorizer=signed)
@as_problem_response
def aggregate_inputs() -> Response:
    """The events that went into one version."""
    return api.aggregates.inputs(_request())


@app.route("/aggregates/diff", authorizer=signed)
@as_problem_response
def aggregate_difference() -> Response:
    """What two versions do not share."""
    return api.aggregates.difference(_request())


@app.route("/metrics", authorizer=signed)
@as_problem_response
def metrics() -> Response:
    """Every metric with its newest definition."""
    return api.metrics.metrics(_request())


@app.route("/metrics/{name}", authorizer=signed)
@as_problem_response
def metric(name: str) -> Response:
    """A metric with all definitions that it had."""
    return api.metrics.metric(name)


@app.route("/metrics/{name}/values", authorizer=signed)
@as_problem_response
def metric_values(name: str) -> Response:
    """What a metric comes to by day, over all entities, by group or by entity."""
    return api.metrics.values(_request(), name)


@app.route("/metrics/{name}", methods=["PUT"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def define_metric(name: str) -> Response:
    """Make a definition the newest of a metric."""
    return api.metrics.define(_request(), name)


@app.route("/metrics/{name}", methods=["DELETE"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def retire_metric(name: str) -> Response:
    """Have no further replay compute a metric that does not name it."""
    return api.metrics.retire(_request(), name)


@app.route("/rejected", authorizer=signed)
@as_problem_response
def rejections() -> Response:
    """What was refused on a day, and why."""
    return api.quarantine.rejections(_request())


@app.route("/rejected/{rejected_id}", authorizer=signed)
@as_problem_response
def rejection(rejected_id: str) -> Response:
    """A refused event with its body, and what came of its retries."""
    return api.quarantine.rejection(rejected_id)


@app.route("/rejected/{rejected_id}/retry", methods=["POST"], authorizer=signed, content_types=ANY_CONTENT_TYPE)
@as_problem_response
def retry_rejected(rejected_id: str) -> Response:
    """Send a refused event through ingest again, as it was kept or as the body corrects it."""
    return api.quarantine.retry(_request(), rejected_id)


@app.route("/openapi.json", authorizer=signed)
@as_problem_response
def openapi_document() -> Response:
    """This API, described in OpenAPI 3.1."""
    return answer(api.openapi.document())


@app.route("/health", authorizer=signed)
@as_problem_response
def health() -> Response:
    """Whether the API answers."""
    return answer({"status": "ok"})


@app.on_sqs_message(
    queue=queue_name(os.environ, "replay-jobs"),
    batch_size=1,
    maximum_concurrency=planner_concurrency(os.environ),
)
def planner(event: SQSEvent) -> None:
    """Work on one slice of a replay."""
    api.consumers.plan(event)


@app.on_sqs_message(
    queue=queue_name(os.environ, "replay"),
    batch_size=10,
    maximum_concurrency=processor_concurrency(os.environ),
)
def processor(event: SQSEvent) -> BatchResponse:
    """Turn replayed events into daily aggregates."""
    return api.consumers.process(event)


@app.on_sqs_message(
    queue=queue_name(os.environ, "replay-failures"), batch_size=10, maximum_concurrency=DEAD_LETTER_CONCURRENCY
)
def dead_letters(event: SQSEvent) -> BatchResponse:
    """Count messages that were received too often, and keep them."""
    return api.consumers.record_dead_letters(event)


@app.schedule(Rate(1, unit=Rate.HOURS))
def digest(_event: CloudWatchEvent) -> None:
    """List and sign the raw objects that were written since the last digest."""
    api.consumers.write_digests()
