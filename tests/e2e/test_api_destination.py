"""The recipe of examples/README.md brings the messages of a replay to an HTTP endpoint, by an API destination."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.e2e.deployed import Deployed, until
from tests.e2e.samples import ROOT

DAY = "2026-11-21"
EVENTS = [
    {"source": "e2e/hook", "event_type": "order.paid", "entity_id": "hook", "payload": number}
    | {"event_time": f"{DAY}T10:00:{number:02}Z"}
    for number in range(12)
]
STRUCTURED = ("list", "structure")
_COMMAND = re.compile(r"(?:(\w+)=\$\()?aws events (\S+) (.*?)(?: --query (\w+) --output text\))?")


@dataclass
class Endpoint:
    """An HTTP endpoint: the API keys and bodies of the requests that came."""

    requests: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as http.server calls it
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.requests.append((self.headers["x-api-key"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/replays"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield endpoint
    server.shutdown()
    thread.join()
    server.server_close()


def recipe() -> list[str]:
    """The commands of the page, a line each."""
    page = (ROOT / "examples/README.md").read_text()
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    [block] = [block for block in blocks if "create-api-destination" in block]
    return block.replace("\\\n", " ").strip().splitlines()


def run(events: Any, commands: list[str], names: dict[str, str]) -> None:
    """Do with boto3 what a shell would do with the AWS CLI."""
    for command in commands:
        match = _COMMAND.fullmatch(command)
        assert match is not None, command
        name, operation, options, member = match.groups()
        for variable, value in names.items():
            options = options.replace(f'${variable}"', f'{value}"')
        words = iter(shlex.split(options))
        given = {"".join(map(str.capitalize, word[2:].split("-"))): next(words) for word in words}
        method = operation.replace("-", "_")
        model = events.meta.service_model.operation_model(events.meta.method_to_api_mapping[method])
        kinds = {key: shape.type_name for key, shape in model.input_shape.members.items()}
        asked = {key: json.loads(value) if kinds[key] in STRUCTURED else value for key, value in given.items()}
        answer = getattr(events, method)(**asked)
        if name is not None:
            names[name] = answer[member]


def test_the_recipe_brings_each_message_of_a_replay_to_the_endpoint(deployed: Deployed, endpoint: Endpoint) -> None:
    stack = deployed.stack
    events: Any = deployed.admin.session.client("events", endpoint_url=stack.aws_endpoint_url)
    run(events, recipe(), {"url": endpoint.url, "role": "arn:aws:iam::000000000000:role/invokes"})
    deployed.ingest([json.dumps(event).encode() for event in EVENTS])
    window = {"start_time": f"{DAY}T00:00:00Z", "end_time": "2026-11-22T00:00:00Z"}

    job = deployed.post("/replay", {"entity_id": "hook", **window, "destination": "news"}).json()

    until(lambda: len(endpoint.requests) >= len(EVENTS))
    assert {key for key, _ in endpoint.requests} == {"secret"}
    bodies = [body for _, body in endpoint.requests]
    assert {(body["replay_id"], body["destination"]) for body in bodies} == {(job["replay_id"], "news")}
    assert len({body["event_id"] for body in bodies}) == len(bodies) == len(EVENTS)
