"""A peer within this process, on an AWS within it, with a meter on every call."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from botocore import handlers
from moto import mock_aws

from bench import lambda_events
from bench.meter import Meter
from bench.orders import Json
from bench.peers.deployment import INDEX_KEYS, SHAPES, TABLES

BUCKET = "peer-raw"
QUEUE = "peer-replay"
MESSAGES_A_BATCH = 10
ONE_TIME = {"expiration": {"N": "1795314601"}, "in_progress_expiration": {"N": "1795311001001"}}
"""What Powertools' rows are counted with: how long a number is stored depends on the zeros that it ends in."""
REGION = "us-east-1"


@dataclass(frozen=True)
class InProcess:
    """A peer's module, called as Lambda calls it. `meter` counts what it asks AWS for, not what the clients here do."""

    module: ModuleType
    meter: Meter
    s3: Any
    dynamodb: Any
    sqs: Any

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Json:
        """A request, as API Gateway hands it over."""
        event = lambda_events.request(method, path, json.dumps(body), query)
        answer = self.module.api(event, lambda_events.Context())
        if answer["statusCode"] != 200:
            raise RuntimeError(f"{method} {path} was answered {answer}")
        answered: Json = json.loads(answer["body"])
        return answered

    def process(self) -> int:
        """Process all that is on the queue, in tens; return how many messages there were."""
        processed = 0
        receive = partial(self.sqs.receive_message, QueueUrl=self.module.records.QUEUE_URL)
        while received := receive(MaxNumberOfMessages=MESSAGES_A_BATCH).get("Messages"):
            records = {"Records": lambda_events.delivered(received)}
            answer = self.module.process(records, lambda_events.Context())
            if answer is not None and answer["batchItemFailures"]:
                raise RuntimeError("A message could not be processed.")
            processed += len(received)
        return processed


@contextmanager
def in_process(name: str) -> Iterator[InProcess]:
    """Yield a peer with empty tables; its modules are read again, as they make their clients when they are read."""
    meter = Meter(INDEX_KEYS)
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        before, variables = boto3.DEFAULT_SESSION, dict(os.environ)
        os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        try:
            own = boto3.session.Session(region_name=REGION)
            s3, dynamodb, sqs = own.client("s3"), own.client("dynamodb"), own.client("sqs")
            s3.create_bucket(Bucket=BUCKET)
            queue_url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
            for table, shape in SHAPES.items():
                dynamodb.create_table(TableName=table, **shape)
            os.environ |= {**TABLES, "BUCKET": BUCKET, "QUEUE_URL": queue_url, "AWS_DEFAULT_REGION": REGION}
            os.environ |= {"POWERTOOLS_SERVICE_NAME": name, "POWERTOOLS_LOG_LEVEL": "ERROR"}
            with _metered(meter):
                boto3.DEFAULT_SESSION = boto3.session.Session()
                yield InProcess(_read(name), meter, s3, dynamodb, sqs)
        finally:
            boto3.DEFAULT_SESSION = before
            os.environ.clear()
            os.environ.update(variables)


@contextmanager
def _metered(meter: Meter) -> Iterator[None]:
    """Let every session that is made from now on be counted: Powertools makes one of its own."""
    before = list(handlers.BUILTIN_HANDLERS)
    for service in ("s3", "dynamodb", "sqs"):
        handlers.BUILTIN_HANDLERS += [
            (f"before-parameter-build.{service}", partial(_asked_at_one_time, meter)),
            (f"after-call.{service}", meter.answered, handlers.REGISTER_FIRST),
        ]
    try:
        yield
    finally:
        handlers.BUILTIN_HANDLERS[:] = before


def _asked_at_one_time(meter: Meter, params: Json, context: Json, **_: Any) -> None:
    """Meter a call as if it were made at one time."""
    times = {name: time for name, time in ONE_TIME.items() if name in params.get("Item", ())}
    meter.asked({**params, "Item": {**params["Item"], **times}} if times else params, context)


def _read(name: str) -> ModuleType:
    """A peer's module, under the name that it has when it is deployed: Powertools keeps it in its rows."""
    importlib.reload(importlib.import_module("bench.peers.records"))
    module = ModuleType(name)
    SourceFileLoader(name, str(Path(__file__).parent / f"{name}.py")).exec_module(module)
    return module
