"""The application in this process, without a network, and with a clock that charges our code, boto3 or the framework.

Sampling and tracing profilers cost more than what is measured here. So what stands at a border between owners is
replaced by itself with a look at the clock before and after. How long a look takes is measured too, and taken off.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import thread_time_ns
from types import FrameType
from typing import Any

from botocore.client import BaseClient

from bench.lambda_events import Context
from bench.stub_transport import StubTransport

_TABLES = ("EVENTS", "DEDUPE", "REPLAYS", "AGGREGATES")
_QUEUES = ("REPLAY", "REPLAY_JOBS", "REPLAY_JOBS_DEAD_LETTER", "REPLAY_FAILURES", "DEAD_LETTER")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "x" * 400,  # a role's
    "AWS_DEFAULT_REGION": "eu-west-1",
    "RAW_BUCKET": "retrace-dev-raw",
    **{f"{name}_TABLE": f"retrace-dev-{name.lower()}" for name in _TABLES},
    **{f"{name}_QUEUE_URL": f"https://sqs.eu-west-1.amazonaws.com/123456789012/{name.lower()}" for name in _QUEUES},
    "DESTINATIONS": '{"aggregates": {"arn": "arn:aws:sqs:us-east-1:123456789012:bench-replay"}}',
    "POWERTOOLS_SERVICE_NAME": "retrace-dev",
    "POWERTOOLS_METRICS_NAMESPACE": "Retrace",
    "REPORT_BATCH_ITEM_FAILURES": "true",
    "CONCURRENCY": "1",  # all in one thread, whose processor time is measured
    "MAX_IN_FLIGHT": "1000000",
}

OURS, BOTO3, FRAMEWORK, NETWORK = "ours", "boto3", "framework", "network"
OWNERS = (OURS, BOTO3, FRAMEWORK)
"""Of what is measured: what stands in for the network belongs to none of them."""

_CALL_NS = 40
"""About what calling nothing takes. It belongs to what is measured."""


class Clock:
    """Whose turn it is, and nanoseconds of this thread's processor time and calls by owner."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()
        self._owner = NETWORK
        self._since = 0
        self._look_ns = 0.0

    def calibrate(self) -> None:
        """Measure how long a look takes, of the time that it charges."""
        nothing, found = self.at(OURS, lambda: None), []
        for _ in range(2_000):
            self.reset()
            nothing()
            found.append(self.spent[OURS] - _CALL_NS)
        self._look_ns = median(found)

    def at(self, owner: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, charged to an owner."""

        def charged(*args: Any, **kwargs: Any) -> Any:
            before = self._turn(owner)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn(before)

        return charged

    def _turn(self, owner: str) -> str:
        now = thread_time_ns()
        before, self._owner = self._owner, owner
        self.spent[before] += now - self._since
        self._looks[before] += 1
        self._since = thread_time_ns()
        return before

    def reset(self) -> None:
        """Begin at zero."""
        for counted in (self.spent, self.calls, self._looks):
            counted.clear()
        self._since = thread_time_ns()

    def microseconds(self, owner: str) -> float:
        """What an owner spent, without the looks at the clock."""
        return (self.spent[owner] - self._looks[owner] * self._look_ns) / 1_000

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count calls meanwhile, of Python's functions and of C's, instead of time."""
        sys.setprofile(self._count)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, called: object) -> None:
        # The clock's own calls belong to none of them.
        clocks = frame.f_code.co_qualname.startswith("Clock.") or called is sys.setprofile
        if event in ("call", "c_call") and not clocks:
            self.calls[self._owner] += 1


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
