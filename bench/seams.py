"""The application in this process, with AWS canned, and a clock at each border between its owners."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

from bench.canned import Canned
from bench.owners import BOTO3, FRAMEWORK, OURS, Clock

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "x" * 400,  # a role's
    "AWS_DEFAULT_REGION": "eu-west-1",
    "RAW_BUCKET": "retrace-dev-raw",
    "EVENTS_TABLE": "retrace-dev-events",
    "DEDUPE_TABLE": "retrace-dev-dedupe",
    "REPLAYS_TABLE": "retrace-dev-replays",
    "AGGREGATES_TABLE": "retrace-dev-aggregates",
    "REPLAY_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/retrace-dev-replay",
    "REPLAY_JOBS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/retrace-dev-replay-jobs",
    "POWERTOOLS_SERVICE_NAME": "retrace-dev",
    "POWERTOOLS_METRICS_NAMESPACE": "Retrace",
    "REPORT_BATCH_ITEM_FAILURES": "true",
    "CONCURRENCY": "1",  # all in one thread, whose processor time is measured
    "MAX_IN_FLIGHT": "1000000",
}


@dataclass
class Measured:
    """The application, its canned AWS, and the clock."""

    app: Any
    aws: Canned = field(default_factory=Canned)
    clock: Clock = field(default_factory=Clock)

    def function(self, name: str | None = None) -> Callable[[Any, Any], Any]:
        """A function as Lambda calls it: of that name, or the one behind all routes."""
        import app as module  # noqa: PLC0415  # not before the environment stands

        return self.clock.at(FRAMEWORK, self.app if name is None else getattr(module, name))


def measured() -> Measured:
    """The application with a clock at its borders."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    from app import app  # noqa: PLC0415  # not before the environment stands

    application = Measured(app)
    _meet_the_framework(application)
    _meet_aws(application)
    return application


def _meet_the_framework(application: Measured) -> None:
    """Chalice calls our views, consumers and middlewares, and we call the loggers and metrics of Powertools."""
    from chalicelib import telemetry  # noqa: PLC0415  # not before the environment stands

    clock = application.clock
    for methods in application.app.routes.values():
        for entry in methods.values():
            entry.view_function = clock.at(OURS, entry.view_function)
    for name in ("planner", "processor"):
        handler = getattr(__import__("app"), name)
        handler.func = clock.at(OURS, handler.func)
    application.app.middleware_handlers[:] = [
        (_met(clock, middleware), kind) for middleware, kind in application.app.middleware_handlers
    ]
    for owner, names in ((telemetry.logger, ("info", "error")), (telemetry._metrics, ("add_metric", "flush_metrics"))):  # noqa: SLF001
        for name in names:
            setattr(owner, name, clock.at(FRAMEWORK, getattr(owner, name)))
    [handler] = telemetry.logger.handlers
    assert isinstance(handler, logging.StreamHandler)  # noqa: S101  # narrows the type
    handler.setStream(io.StringIO())


def _met(clock: Clock, middleware: Callable[..., Any]) -> Callable[..., Any]:
    def between(event: Any, get_response: Callable[..., Any]) -> Any:
        return middleware(event, clock.at(FRAMEWORK, get_response))

    return clock.at(OURS, between)


def _meet_aws(application: Measured) -> None:
    from chalicelib import runtime  # noqa: PLC0415  # not before the environment stands

    calls: Any = BaseClient
    calls._make_api_call = _unbound(application.clock, calls._make_api_call)  # noqa: SLF001  # where every call begins
    for client in (runtime.s3(), runtime.dynamodb(), runtime.sqs()):
        application.aws.attach(client, application.clock)


def _unbound(clock: Clock, method: Callable[..., Any]) -> Callable[..., Any]:
    charged = clock.at(BOTO3, method)

    def called(client: BaseClient, *args: Any, **kwargs: Any) -> Any:
        return charged(client, *args, **kwargs)

    return called
