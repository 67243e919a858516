"""What Lambda hands to functions: requests as API Gateway does, and messages as SQS does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.orders import DAY, NEXT_DAY, Json, order

ENTITY = 1007
WHOLE_DAY = {"entity_id": f"order-{ENTITY:08d}", "start_time": f"{DAY}T00:00:00Z", "end_time": f"{NEXT_DAY}T00:00:00Z"}


@dataclass(frozen=True)
class Context:
    """An invocation that has just begun."""

    function_name: str = "bench"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:bench"
    aws_request_id: str = "00000000-0000-4000-8000-000000000001"

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda tells it."""
        return 60_000


def payment(number: int) -> Json:
    """A payment of one order, 435 bytes long; numbers tell events apart."""
    payload = {
        "amount": 19.99,
        "currency": "EUR",
        "customer": {"id": f"customer-{number:08d}", "name": "Zoë Müller", "new": False},
        "lines": [{"sku": "A-1007", "count": 2, "price": 7.5}, {"sku": "B-12", "count": 1, "price": 4.99}],
    }
    return order(number, ENTITY, f"{DAY}T10:00:00.{number:09d}Z") | {"payload": payload}


def one(number: int) -> Json:
    """POST /ingest of a single event."""
    return request("POST", "/ingest", json.dumps(payment(number)))


def batch(first: int, size: int) -> Json:
    """POST /ingest of a JSON array."""
    return request("POST", "/ingest", json.dumps([payment(number) for number in range(first, first + size)]))


def request(method: str, path: str, body: str | None = None, query: Mapping[str, str] | None = None) -> Json:
    """As a REST API of API Gateway hands it over.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/eu-west-1/execute-api/aws4_request",
        "CloudFront-Forwarded-Proto": "https",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.eu-west-1.amazonaws.com",
        "User-Agent": "python-urllib3/2.5",
        "Via": "1.1 0123456789abcdef.cloudfront.net (CloudFront)",
        "X-Amz-Date": "20261121T100000Z",
        "X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000",
        "X-Forwarded-For": "192.0.2.1, 192.0.2.2",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "requestId": "00000000-0000-4000-8000-000000000002",
            "identity": {"userArn": "arn:aws:iam::123456789012:user/producer", "sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def messages(bodies: Sequence[str]) -> Json:
    """Messages of these bodies as an event source mapping hands them over."""
    sent = ((f"00000000-0000-4000-8000-{at:012d}", f"receipt-{at}", body) for at, body in enumerate(bodies))
    return {"Records": delivered([{"MessageId": each, "ReceiptHandle": at, "Body": body} for each, at, body in sent])}


def delivered(received: Sequence[Mapping[str, str]]) -> list[Json]:
    """Messages that were received from a queue, likewise."""
    return [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795341600000"},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:retrace-dev-replay",
            "awsRegion": "eu-west-1",
        }
        for message in received
    ]
