"""The application in this process, without a network, and with the profiler's clock at each border between owners."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.client import BaseClient

from bench.cpu_profiler import BOTO3, FRAMEWORK, NETWORK, OURS, Clock
from bench.lambda_events import Context
from bench.stub_transport import StubTransport

QUEUES = "https://sqs.eu-west-1.amazonaws.com/123456789012/retrace-dev"
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
    "REPLAY_QUEUE_URL": f"{QUEUES}-replay",
    "DESTINATIONS": '{"aggregates": {"arn": "arn:aws:sqs:us-east-1:123456789012:bench-replay"}}',
    "REPLAY_JOBS_QUEUE_URL": f"{QUEUES}-replay-jobs",
    "REPLAY_JOBS_DEAD_LETTER_QUEUE_URL": f"{QUEUES}-replay-jobs-dead-letters",
    "REPLAY_FAILURES_QUEUE_URL": f"{QUEUES}-replay-failures",
    "DEAD_LETTER_QUEUE_URL": f"{QUEUES}-dead-letters",
    "POWERTOOLS_SERVICE_NAME": "retrace-dev",
    "POWERTOOLS_METRICS_NAMESPACE": "Retrace",
    "REPORT_BATCH_ITEM_FAILURES": "true",
    "CONCURRENCY": "1",  # all in one thread, whose processor time is measured
    "MAX_IN_FLIGHT": "1000000",
}


@dataclass
class Application:
    """The application, what stands in for AWS, and the clock."""

    module: Any
    aws: StubTransport = field(default_factory=StubTransport)
    clock: Clock = field(default_factory=Clock)

    def function(self, name: str) -> Callable[[Any], Any]:
        """A function as Lambda calls it; what it writes for metrics goes where it is not read."""
        charged = self.clock.at(FRAMEWORK, getattr(self.module, name))

        def called(event: Any) -> Any:
            with contextlib.redirect_stdout(io.StringIO()):
                return charged(event, Context())

        return called

    def forget(self, *tables: str) -> None:
        """Empty tables, so that the same request does the same again."""
        for table in tables:
            self.aws.tables.pop(ENVIRONMENT[table], None)


def instrumented() -> Application:
    """The application with a clock at its borders."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    import app  # noqa: PLC0415  # not before the environment stands

    application = Application(app)
    application.clock.calibrate()
    _meet_the_framework(application)
    _meet_aws(application)
    return application


def _meet_the_framework(application: Application) -> None:
    """Chalice calls our views, consumers and middlewares, and we call the loggers and metrics of Powertools."""
    from chalicelib.runtime import telemetry  # noqa: PLC0415  # likewise

    clock, chalice = application.clock, application.module.app
    for entry in (entry for methods in chalice.routes.values() for entry in methods.values()):
        entry.view_function = clock.at(OURS, entry.view_function)
    for handler in (application.module.planner, application.module.processor):
        handler.func = clock.at(OURS, handler.func)
    chalice.middleware_handlers[:] = [
        (_met(clock, middleware), kind) for middleware, kind in chalice.middleware_handlers
    ]
    for owner, names in ((telemetry.logger, ("info", "error")), (telemetry._metrics, ("add_metric", "flush_metrics"))):  # noqa: SLF001
        for name in names:
            setattr(owner, name, clock.at(FRAMEWORK, getattr(owner, name)))
    [handler] = telemetry.logger.handlers
    assert isinstance(handler, logging.StreamHandler)  # noqa: S101  # narrows the type
    handler.setStream(io.StringIO())


def _met(clock: Clock, middleware: Callable[..., Any]) -> Callable[..., Any]:
    return clock.at(OURS, lambda event, get_response: middleware(event, clock.at(FRAMEWORK, get_response)))


def _meet_aws(application: Application) -> None:
    from chalicelib.runtime import system  # noqa: PLC0415  # likewise

    calls: Any = BaseClient
    calls._make_api_call = application.clock.at(BOTO3, calls._make_api_call)  # noqa: SLF001  # where every call begins
    charging = partial(application.clock.at, NETWORK)
    application.aws.attach(system.s3(), system.dynamodb(), system.sqs(), charged=charging)
