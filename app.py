"""The HTTP routes, queue consumers and schedule of Retrace: each parses, calls one use case, and answers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from chalice.app import Chalice, CloudWatchEvent, IAMAuthorizer, Rate, Request, Response, SQSEvent

import chalicelib.runtime.system  # noqa: F401  # boto3 is imported while Lambda initialises a function
from chalicelib import api
from chalicelib.api.middleware import View, as_problem_response, only_admitted, with_deadline
from chalicelib.api.responses import answer
from chalicelib.runtime import event_sources, telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.processing.processor import BatchResponse

event_sources.refuse_unrecorded(os.environ, sys.argv)
app = Chalice(app_name="retrace", configure_logs=False)  # telemetry configures them, as JSON
app.register_middleware(telemetry.flush_metrics, "all")
app.register_middleware(with_deadline, "all")
app.register_middleware(only_admitted, "http")
app.api.binary_types = ["application/x-ndjson", "application/gzip"]  # requests, byte by byte; answers stay text
signed = IAMAuthorizer()


def route(path: str, method: str = "GET") -> Callable[[View], View]:
    """A route of signed requests, with a body of any type unless it is a GET, that answers errors with problems."""
    bodies = ["application/json"] if method == "GET" else ["*/*"]
    register = app.route(path, methods=[method], authorizer=signed, content_types=bodies)
    return lambda view: register(as_problem_response(view))


def _request() -> Request:
    assert app.current_request is not None, "Chalice sets the request before it calls a view"  # noqa: S101
    return app.current_request


@route("/ingest", "POST")
def ingest() -> Response:
    """Ingest events, or with ?dry_run=true report what would happen to them."""
    return api.ingest.ingest(_request())


@route("/events")
def events() -> Response:
    """List events of an entity, or of a source and type, in a window."""
    return api.search.events(_request())


@route("/late")
def late() -> Response:
    """Late arrivals of a day, and what they touch."""
    return api.search.late(_request())


@route("/late/summary")
def late_summary() -> Response:
    """How many events came late, by source, type and hour of arrival."""
    return api.search.late_summary(_request())


@route("/stale")
def stale() -> Response:
    """Daily aggregates whose newest version lacks events that came late."""
    return api.search.stale(_request())


@route("/gaps")
def gaps() -> Response:
    """Hours or days without events."""
    return api.search.gaps(_request())


@route("/sources")
def sources() -> Response:
    """Every source and type, since when and until when it was seen."""
    return api.search.sources(_request())


@route("/freshness")
def freshness() -> Response:
    """The newest event of a source and type; 503 if it is older than asked for."""
    return api.search.freshness(_request())


@route("/events/{event_id}")
def event(event_id: str) -> Response:
    """What is known of an event, its later arrivals, and the aggregates it went into."""
    return api.search.event(event_id)


@route("/events/{event_id}/raw")
def raw_event(event_id: str) -> Response:
    """The event's own text, its hash checked."""
    return api.search.raw_event(event_id)


@route("/replay", "POST")
def request_replay() -> Response:
    """Ask for a replay, which runs on its own, or with ?dry_run=true for what it would send."""
    return api.replays.request_replay(_request())


@route("/replay")
def replays() -> Response:
    """Replays and how far they are, newest first."""
    return api.replays.replays(_request())


@route("/replay/{replay_id}")
def replay(replay_id: str) -> Response:
    """A replay and how far it is."""
    return api.replays.replay(replay_id)


@route("/replay/{replay_id}/cancel", "POST")
def cancel_replay(replay_id: str) -> Response:
    """Send nothing more of a replay, and drop what was sent and not processed."""
    return api.replays.cancel(_request(), replay_id)


@route("/replay/{replay_id}/redrive", "POST")
def redrive_replay(replay_id: str) -> Response:
    """Move a replay's dead letters back to the queue, and plan on where its planner has given up."""
    return api.replays.redrive(_request(), replay_id)


@route("/replay/{replay_id}/outcomes", "POST")
def report_outcomes(replay_id: str) -> Response:
    """Record what a consumer reports of the messages that a replay sent it."""
    return api.replays.outcomes(_request(), replay_id)


@route("/destinations")
def destinations() -> Response:
    """Where replays may send, and what the newest have there."""
    return api.replays.destinations(_request())


@route("/events-files/{sha256}", "PUT")
def offer_upload(sha256: str) -> Response:
    """Say how to upload a file of event ids, unless it is there."""
    return api.replays.offer_upload(_request(), sha256)


@route("/aggregates")
def aggregates() -> Response:
    """Every version of an entity's daily aggregate."""
    return api.aggregates.aggregates(_request())


@route("/aggregates/inputs")
def aggregate_inputs() -> Response:
    """The events that went into one version."""
    return api.aggregates.inputs(_request())


@route("/aggregates/diff")
def aggregate_difference() -> Response:
    """What two versions do not share."""
    return api.aggregates.difference(_request())


@route("/metrics")
def metrics() -> Response:
    """Every metric with its newest definition."""
    return api.metrics.metrics(_request())


@route("/metrics/{name}")
def metric(name: str) -> Response:
    """A metric with all definitions that it had."""
    return api.metrics.metric(name)


@route("/metrics/{name}/values")
def metric_values(name: str) -> Response:
    """What a metric comes to by day, over all entities, by group or by entity."""
    return api.metrics.values(_request(), name)


@route("/metrics/{name}", "PUT")
def define_metric(name: str) -> Response:
    """Make a definition the newest of a metric."""
    return api.metrics.define(_request(), name)


@route("/metrics/{name}", "DELETE")
def retire_metric(name: str) -> Response:
    """Have no further replay compute a metric that does not name it."""
    return api.metrics.retire(_request(), name)


@route("/rejected")
def rejections() -> Response:
    """What was refused on a day, and why."""
    return api.quarantine.rejections(_request())


@route("/rejected/{rejected_id}")
def rejection(rejected_id: str) -> Response:
    """A refused event with its body, and what came of its retries."""
    return api.quarantine.rejection(rejected_id)


@route("/rejected/{rejected_id}/retry", "POST")
def retry_rejected(rejected_id: str) -> Response:
    """Send a refused event through ingest again, as it was kept or as the body corrects it."""
    return api.quarantine.retry(_request(), rejected_id)


@route("/openapi.json")
def openapi_document() -> Response:
    """This API, described in OpenAPI 3.1."""
    return answer(api.openapi.document())


@route("/health")
def health() -> Response:
    """Whether the API answers."""
    return answer({"status": "ok"})


@app.on_sqs_message(**event_sources.planner(os.environ))
def planner(event: SQSEvent) -> None:
    """Work on one slice of a replay."""
    api.consumers.plan(event)


@app.on_sqs_message(**event_sources.processor(os.environ))
def processor(event: SQSEvent) -> BatchResponse:
    """Turn replayed events into daily aggregates."""
    return api.consumers.process(event)


@app.on_sqs_message(**event_sources.dead_letters(os.environ))
def dead_letters(event: SQSEvent) -> BatchResponse:
    """Count messages that were received too often, and keep them."""
    return api.consumers.record_dead_letters(event)


@app.schedule(Rate(1, unit=Rate.HOURS))
def digest(_event: CloudWatchEvent) -> None:
    """List and sign the raw objects that were written since the last digest."""
    api.consumers.write_digests()
