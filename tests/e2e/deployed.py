"""What a test says to the deployed application over HTTP, and what it finds in storage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from urllib3 import BaseHTTPResponse

from embedded.admin import Admin
from embedded.client import Api
from embedded.connection import Stack
from infra.command import wait_until

NDJSON = "application/x-ndjson"
AT_ONCE = 500
"""So many events in a request, where several clients send at once: a function has to answer in 29 seconds."""
DESTINATIONS = Path(__file__).parent / "destinations.yaml"
_PATIENCE_S = 300.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Deployed:
    """A deployed application."""

    stack: Stack

    @cached_property
    def api(self) -> Api:
        """Signed HTTP, as the local user."""
        return Api(self.stack)

    @cached_property
    def admin(self) -> Admin:
        """Storage and queues, looked at past the API."""
        return Admin.of(self.stack)

    def ingest(self, lines: Sequence[bytes]) -> dict[str, Any]:
        """Send one batch; answers results and counts."""
        query, headers = {"results": "all"}, {"Content-Type": NDJSON}
        answer = self.api.call("POST", "/ingest", query=query, body=b"\n".join(lines), headers=headers)
        assert answer.status == 200, answer.data
        answered: dict[str, Any] = answer.json()
        return answered

    def accepted(self, lines: Sequence[bytes]) -> list[dict[str, Any]]:
        """Send events, all of them new, in batches by four clients; answers their results."""
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(self.ingest, batches(lines, AT_ONCE)))
        results = [result for answer in answers for result in answer["results"]]
        assert {result["status"] for result in results} == {"ACCEPTED"}
        return results

    def post(self, path: str, body: Any) -> BaseHTTPResponse:
        """POST a JSON body."""
        return self.api.call("POST", path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET a route that answers 200."""
        answer = self.api.call("GET", path, query=query)
        assert answer.status == 200, answer.data
        answered: dict[str, Any] = answer.json()
        return answered

    def replayed(self, **request: str | bool) -> dict[str, Any]:
        """Ask for a replay and wait until it is complete; answers the job."""
        answer = self.post("/replay", request)
        assert answer.status == 202, answer.data
        replay_id = answer.json()["replay_id"]
        until(lambda: self.get(f"/replay/{replay_id}")["state"] == "COMPLETE")
        return self.get(f"/replay/{replay_id}")

    def rows(self, table: str) -> list[Row]:
        """Every item of a table."""
        pages = self.admin.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def rows_of_replay(self, replay_id: str) -> list[Row]:
        """The aggregates of a replay, and what became of its messages; not the totals, which questions keep."""
        pages = self.admin.dynamodb.get_paginator("scan").paginate(
            TableName=self.stack.aggregates_table,
            ConsistentRead=True,
            FilterExpression="NOT begins_with(PK, :totals) AND (contains(PK, :replay) OR contains(SK, :replay))",
            ExpressionAttributeValues={":replay": {"S": replay_id}, ":totals": {"S": "TOTALS#"}},
        )
        return [item for page in pages for item in page["Items"]]

    def events_and_identities(self) -> dict[str, Row]:
        """The index row of every event and every identity row, by their keys."""
        index = {
            row["PK"]["S"] + row["SK"]["S"]: row
            for row in self.rows(self.stack.events_table)
            if row["PK"]["S"].startswith("ENTITY#")
        }
        return index | {row["event_id"]["S"]: row for row in self.rows(self.stack.dedupe_table)}

    def objects(self) -> dict[str, str]:
        """Every version of every object: key and version id to the hash of its bytes."""
        s3 = self.admin.s3
        found = {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=self.stack.raw_bucket):
            assert not page.get("DeleteMarkers")
            for version in page.get("Versions", []):
                key, version_id = version["Key"], version["VersionId"]
                content = s3.get_object(Bucket=self.stack.raw_bucket, Key=key, VersionId=version_id)["Body"].read()
                found[f"{key}@{version_id}"] = hashlib.sha256(content).hexdigest()
        return found

    def raw_line(self, row: Row) -> bytes:
        """The bytes that an index row points at."""
        offset, length = int(row["s3_offset"]["N"]), int(row["s3_length"]["N"])
        answer = self.admin.s3.get_object(
            Bucket=row["s3_bucket"]["S"], Key=row["s3_key"]["S"], Range=f"bytes={offset}-{offset + length - 1}"
        )
        return answer["Body"].read()


@contextmanager
def impatient(deployed: Deployed) -> Iterator[None]:
    """What fails comes back to ReplayQueue after a second, not after six minutes."""
    sqs, url = deployed.admin.sqs, deployed.stack.replay_queue_url
    visibility = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=visibility["Attributes"])


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail if it does not come."""
    assert wait_until(condition, _PATIENCE_S, every=0.2), "what was waited for did not come"


def batches(lines: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """Consecutive batches of at most `size` lines."""
    return (lines[start : start + size] for start in range(0, len(lines), size))
