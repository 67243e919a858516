"""Signed calls to the API of a stack, as any SigV4 client makes them."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from embedded.connection import Stack


class Api:
    """The API of one stack, called as its local user. Connections are kept; threads may share it."""

    def __init__(self, stack: Stack, *, timeout: float = 60.0, connections: int = 16) -> None:
        self._base = stack.api_url
        self._pool = urllib3.PoolManager(maxsize=connections, block=True, timeout=timeout, retries=False)
        credentials = Credentials(stack.access_key_id, stack.secret_access_key)
        self._signer = SigV4Auth(credentials, "execute-api", stack.region)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request; the path starts with a slash and is taken as plain text."""
        url = self._base + quote(path) + ("?" + urlencode(query, quote_via=quote) if query else "")
        request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
        self._signer.add_auth(request)
        return self._pool.request(method, url, body=body, headers=dict(request.headers.items()))
