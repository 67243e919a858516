#!/usr/bin/env python3
"""Sign what a program on this machine posts that cannot sign itself, compress it, and pass it on to Retrace.

    export RETRACE_URL=https://abc123.execute-api.eu-west-1.amazonaws.com/api AWS_REGION=eu-west-1
    examples/producers/signing_proxy.py

POST http://127.0.0.1:8181/ingest becomes POST $RETRACE_URL/ingest, signed with the credentials that boto3 finds. The
proxy keeps nothing. A program that gets no answer, or 502, still has its events and sends them again.
"""

import gzip
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

ADDRESS = "127.0.0.1"
"""Every program that reaches this address sends events in your name."""

PORT = 8181
TIMEOUT_S = 33
"""Longer than API Gateway takes, and shorter than the program waits."""


class SigningProxy(ThreadingHTTPServer):
    """Forwards each POST to one stage."""

    daemon_threads = True

    def __init__(self, port: int, url: str, region: str) -> None:
        super().__init__((ADDRESS, port), ForwardedRequest)
        self.url, self.region, self.session = url.rstrip("/"), region, Session()
        self.pool = urllib3.PoolManager(maxsize=16, timeout=TIMEOUT_S, retries=False)

    def forwarded(self, path: str, body: bytes, content_type: str, encoding: str | None) -> urllib3.BaseHTTPResponse:
        """Sign one request, compressed if it is not yet, and return the answer to it."""
        packed = gzip.compress(body, compresslevel=3) if encoding is None else body
        headers = {"Content-Type": content_type, "Content-Encoding": encoding or "gzip"}
        request = AWSRequest("POST", self.url + path, data=packed, headers=headers)
        SigV4Auth(self.session.get_credentials(), "execute-api", self.region).add_auth(request)
        return self.pool.request("POST", request.url, body=packed, headers=dict(request.headers.items()))


class ForwardedRequest(BaseHTTPRequestHandler):
    """One request of a local program."""

    protocol_version = "HTTP/1.1"
    server: SigningProxy

    def do_POST(self) -> None:
        """Pass it on, and the answer back."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        content_type = self.headers.get("Content-Type", "application/x-ndjson")
        try:
            answer = self.server.forwarded(self.path, body, content_type, self.headers.get("Content-Encoding"))
        except urllib3.exceptions.HTTPError as error:
            self._answer(502, f"No answer from {self.server.url}: {error}\n".encode(), {})
        else:
            self._answer(answer.status, answer.data, answer.headers)

    def _answer(self, status: int, body: bytes, headers: "urllib3.HTTPHeaderDict | dict[str, str]") -> None:
        self.send_response(status)
        for name in ("Content-Type", "Retry-After", "Retrace-Refused"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until it is stopped; a port may be named as the only argument."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    SigningProxy(port, os.environ["RETRACE_URL"], os.environ["AWS_REGION"]).serve_forever()


if __name__ == "__main__":
    main()
