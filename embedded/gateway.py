"""Run a command, such as Chalice's, with the embedded AWS as its AWS, in which nothing is missing that Chalice calls.

    python -m embedded.gateway make chalice STAGE=try PARAMETERS=RefusePlainHttp=false
    python -m embedded.gateway .venv/bin/chalice delete --stage try

The embedded AWS is that of `make up`. This module supplies what the emulator lacks, or takes otherwise
than AWS does:

ImportRestApi: AWS makes the routes that a document describes. The emulator makes an API without any. It does import
such a document for CloudFormation, so that is asked to.
https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html

PutRestApi: the emulator does not know it, so each route is made by a call of its own.
https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html

UpdateRestApi: Chalice sets minimumCompressionSize to nothing, by which AWS understands no compression. The emulator
would keep it as an empty text, and no SDK could then read the API.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html

GetRestApi: the emulator does not return the kind of endpoint of an API that it made for CloudFormation.

Policies of roles: where they allow something for one message they also allow it for ten; see embedded/adaptation.py.
"""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from embedded import server
from embedded.adaptation import allow_batch_forms
from embedded.admin import REGION, Admin, Administrator
from embedded.layout import HOME, LOOPBACK, Layout
from infra.command import Problem, complain
from infra.stack import Stack

_OF_THE_CONNECTION: Final = {"content-length", "transfer-encoding", "date", "server"}
_API: Final = re.compile(r"/restapis/(\w+)(?:\?.*)?")
_IMPORTED: Final = "imported-api-"
_REGIONAL: Final = {"types": ["REGIONAL"]}
Document = dict[str, Any]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Passes calls on to the emulator, and answers those that it does not know."""

    def __init__(self, account: Admin, endpoint_url: str, *connection: Any) -> None:
        self._account, self._endpoint_url = account, endpoint_url
        super().__init__(*connection)  # this answers the call

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = _answered(self._account, self.command, self.path, body)
        if answer is not None:
            self._tell(200 if self.command == "PUT" else 201, {"Content-Type": "application/json"}, answer)
            return
        url = self._endpoint_url + self.path
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        adapted = _adapted(self.command, body)
        if adapted != body:
            headers = _signed(self._account, self.command, url, adapted, headers["Content-Type"])
        passed = urllib3.request(self.command, url, body=adapted, headers=headers, retries=False, timeout=60)
        whole = _completed(passed.data) if self.command == "GET" and _API.fullmatch(self.path) else passed.data
        self._tell(passed.status, dict(passed.headers), whole)

    do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = answer  # noqa: N815  # as http.server calls them

    def _tell(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def gateway(account: Admin, endpoint_url: str) -> Iterator[Mapping[str, str]]:
    """Yield the variables by which SDKs find the gateway of an emulator."""
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), partial(_Handler, account, endpoint_url)) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        url = f"http://{LOOPBACK}:{proxy.server_port}"
        try:
            yield {"AWS_ENDPOINT_URL_API_GATEWAY": url, "AWS_ENDPOINT_URL_IAM": url}
        finally:
            proxy.shutdown()


def _answered(account: Admin, method: str, path: str, body: bytes) -> bytes | None:
    """Answer what the emulator does not know how to; None for all else."""
    if method == "POST" and path.startswith("/restapis?") and "mode=import" in path:
        return _imported(account, json.loads(body))
    if method == "PUT" and (put := _API.fullmatch(path)):
        return _replaced(account, put[1], json.loads(body))
    return None


def _adapted(method: str, body: bytes) -> bytes:
    """Return the body that the emulator understands."""
    if method == "PATCH" and b"/minimumCompressionSize" in body:
        return b'{"patchOperations": []}'
    if method == "POST" and b"PolicyDocument=" in body:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        if "PolicyDocument" in form and "AssumeRolePolicyDocument" not in form:
            policy = json.loads(form["PolicyDocument"])
            allow_batch_forms(policy)
            return urlencode(form | {"PolicyDocument": json.dumps(policy)}).encode()
    return body


def _signed(account: Admin, method: str, url: str, body: bytes, content_type: str) -> dict[str, str]:
    """Sign a call that was changed, as its own signature is no longer good."""
    key: Any = account.session.get_credentials()
    service, region = ("apigateway", REGION) if method == "PATCH" else ("iam", "us-east-1")
    changed = AWSRequest(method, url, data=body, headers={"Content-Type": content_type})
    SigV4Auth(key, service, region).add_auth(changed)
    return dict(changed.headers)


def _completed(api: bytes) -> bytes:
    """Return AWS's description of an API, which Chalice reads before it updates one."""
    told: Document = json.loads(api)
    return json.dumps({**told, "endpointConfiguration": told.get("endpointConfiguration") or _REGIONAL}).encode()


def _imported(admin: Admin, document: Document) -> bytes:
    """Import a description of an API, and answer as ImportRestApi does, in short."""
    stack = Stack(admin.cloudformation, f"{_IMPORTED}{document['info']['title']}", every=0.05)
    admin.cloudformation.create_stack(StackName=stack.name, TemplateBody=_template(document))
    stack.settled()
    [api] = stack.resources()
    return json.dumps({"id": api.physical_id, "name": document["info"]["title"]}).encode()


def _replaced(account: Admin, api_id: str, document: Document) -> bytes:
    """Make the routes of an API those of a description, one by one, and answer as PutRestApi does, in short."""
    client: Any = account.session.client("apigateway", endpoint_url=account.s3.meta.endpoint_url)
    there = {each["path"]: each["id"] for each in client.get_resources(restApiId=api_id, limit=500)["items"]}
    for path in sorted(there.keys() - {"/"}, key=len, reverse=True):
        client.delete_resource(restApiId=api_id, resourceId=there.pop(path))
    for path, operations in document["paths"].items():
        resource = _resource(client, api_id, there, path)
        for method, operation in operations.items():
            _route(client, {"restApiId": api_id, "resourceId": resource, "httpMethod": method.upper()}, operation)
    return json.dumps({"id": api_id, "name": document["info"]["title"]}).encode()


def _resource(client: Any, api_id: str, there: dict[str, str], path: str) -> str:
    """Return the id of the resource of a path, which is made if need be, with those above it."""
    if path not in there:
        above, _, part = path.rpartition("/")
        parent = _resource(client, api_id, there, above or "/")
        there[path] = client.create_resource(restApiId=api_id, parentId=parent, pathPart=part)["id"]
    return there[path]


def _route(client: Any, place: Mapping[str, str], operation: Document) -> None:
    integration = operation["x-amazon-apigateway-integration"]
    client.put_method(**place, authorizationType="AWS_IAM" if operation.get("security") else "NONE")
    client.put_integration(**place, type="AWS_PROXY", integrationHttpMethod="POST", uri=integration["uri"])


def _template(document: Document) -> str:
    properties = {
        "Body": document,
        "BinaryMediaTypes": [kind.replace("~1", "/") for kind in document["x-amazon-apigateway-binary-media-types"]],
    }
    return json.dumps({"Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": properties}}})


def main(command: Sequence[str], layout: Layout) -> int:
    """Run a command and return its exit status."""
    if not command:
        complain(Problem("No command is given.", "python -m embedded.gateway make chalice STAGE=try"))
        return 2
    running = server.find(layout)
    if running is None:
        return complain(Problem("No embedded AWS is running.", "Start it with: make up"))
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    key = Administrator.of(layout)
    with gateway(Admin(running.endpoint_url, key), running.endpoint_url) as found:
        environment = own | {
            "AWS_ENDPOINT_URL": running.endpoint_url,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "NO_PROXY": f"{LOOPBACK},localhost",
        }
        return subprocess.run(command, env={**environment, **found}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Layout(HOME)))
