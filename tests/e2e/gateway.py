"""API Gateway of the emulator, with two calls of `chalice deploy` that it lacks or takes otherwise than AWS does."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from embedded.admin import Admin
from embedded.ports import LOOPBACK
from embedded.server import REGION
from infra.stack import Stack

_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "date", "server"}


@contextmanager
def gateway(account: Admin, endpoint_url: str) -> Iterator[str]:
    """Yield the URL of something that passes calls of API Gateway on to the emulator, but for two.

    ImportRestApi: AWS makes the routes that the document describes; the emulator makes an API without any. It does
    import such a document for CloudFormation, so that is asked to.
    https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html

    UpdateRestApi: Chalice sets minimumCompressionSize to nothing, by which AWS understands no compression. The emulator
    would keep it as an empty text, and no SDK could then read the API.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
    """
    key: Any = account.session.get_credentials()
    signer = SigV4Auth(key, "apigateway", REGION)

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.command == "POST" and "mode=import" in self.path:
                self.tell(201, {"Content-Type": "application/json"}, _imported(account, json.loads(body)))
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
            if self.command == "PATCH" and b"/minimumCompressionSize" in body:
                body = b'{"patchOperations": []}'
                changed = AWSRequest(self.command, endpoint_url + self.path, data=body)
                signer.add_auth(changed)
                headers = dict(changed.headers)
            passed = urllib3.request(
                self.command, endpoint_url + self.path, body=body, headers=headers, retries=False, timeout=60
            )
            self.tell(passed.status, dict(passed.headers), passed.data)

        do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = answer  # noqa: N815  # as http.server calls them

        def tell(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        try:
            yield f"http://{LOOPBACK}:{proxy.server_port}"
        finally:
            proxy.shutdown()


def _imported(account: Admin, document: dict[str, Any]) -> bytes:
    """Import a description of an API, and answer as ImportRestApi does, in short."""
    properties = {
        "Body": document,
        "BinaryMediaTypes": [kind.replace("~1", "/") for kind in document["x-amazon-apigateway-binary-media-types"]],
    }
    cloudformation = account.cloudformation
    cloudformation.create_stack(
        StackName="imported-api",
        TemplateBody=json.dumps({"Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": properties}}}),
    )
    stack = Stack(cloudformation, "imported-api", every=0.05)
    stack.settled()
    [api] = stack.resources()
    return json.dumps({"id": api.physical_id, "name": document["info"]["title"]}).encode()
