"""A peer within this process, on an AWS within it, with a meter on every call."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from botocore import handlers

from bench.emulated import REGION, aws_in_process, environment
from bench.meter import Meter
from bench.peers.template import SHAPES, TABLES

HERE = Path(__file__).parent
BUCKET = "peer-raw"
QUEUE = "peer-replay"
MESSAGES_A_BATCH = 10
INDEXES = {"EventsTable": ["type_day"]}

Json = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function of its invocation."""

    function_name: str = "peer"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:peer"
    aws_request_id: str = "00000000-0000-4000-8000-000000000001"

    def get_remaining_time_in_millis(self) -> int:
        """All the time there is."""
        return 29_000


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
        event = {
            "httpMethod": method,
            "resource": path,
            "path": path,
            "body": json.dumps(body),
            "headers": {"Content-Type": "application/json"},
            "queryStringParameters": dict(query or {}),
            "requestContext": {"requestId": Context.aws_request_id},
        }
        answer = self.module.api(event, Context())
        if answer["statusCode"] != 200:
            raise RuntimeError(f"{method} {path} was answered {answer}")
        answered: Json = json.loads(answer["body"])
        return answered

    def process(self) -> int:
        """Process all that is on the queue, in tens; return how many messages there were."""
        processed = 0
        while records := self._received():
            answer = self.module.process({"Records": records}, Context())
            if answer is not None and answer["batchItemFailures"]:
                raise RuntimeError("A message could not be processed.")
            processed += len(records)
        return processed

    def _received(self) -> list[Json]:
        answer = self.sqs.receive_message(QueueUrl=self.module.QUEUE_URL, MaxNumberOfMessages=MESSAGES_A_BATCH)
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "eventSource": "aws:sqs",
            }
            for message in answer.get("Messages", [])
        ]


@contextmanager
def in_process(name: str) -> Iterator[InProcess]:
    """Yield a peer with empty tables; its module is read anew, as it makes its clients when it is read."""
    with aws_in_process() as own:
        before, meter = boto3.DEFAULT_SESSION, Meter(INDEXES)
        s3, dynamodb, sqs = own.client("s3"), own.client("dynamodb"), own.client("sqs")
        s3.create_bucket(Bucket=BUCKET)
        queue_url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        for table, shape in SHAPES.items():
            dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **shape)
        settings = {**TABLES, "BUCKET": BUCKET, "QUEUE_URL": queue_url}
        settings |= {"AWS_DEFAULT_REGION": REGION, "POWERTOOLS_SERVICE_NAME": name, "POWERTOOLS_LOG_LEVEL": "ERROR"}
        try:
            with environment(settings), _metered(meter):
                boto3.DEFAULT_SESSION = boto3.session.Session()
                yield InProcess(_read(name), meter, s3, dynamodb, sqs)
        finally:
            boto3.DEFAULT_SESSION = before


@contextmanager
def _metered(meter: Meter) -> Iterator[None]:
    """Let every session that is made from now on be counted: Powertools makes one of its own."""
    before = list(handlers.BUILTIN_HANDLERS)
    for service in ("s3", "dynamodb", "sqs"):
        handlers.BUILTIN_HANDLERS += [
            (f"before-parameter-build.{service}", meter.asked),
            (f"after-call.{service}", meter.answered, handlers.REGISTER_FIRST),
        ]
    try:
        yield
    finally:
        handlers.BUILTIN_HANDLERS[:] = before


def _read(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    if spec is None or spec.loader is None:
        raise RuntimeError(f"There is no peer {name}.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
