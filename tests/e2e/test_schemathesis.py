"""Generated requests against the deployed API: no undocumented status, no 5xx, no answer outside its schema."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, given, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chalicelib.api.openapi import document
from chalicelib.api.operations import OPERATIONS
from embedded.connection import Stack
from tests.sizes import times

_CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
_EXAMPLES = times(8)
_PATIENCE_S = 60

pytestmark = pytest.mark.hypothesis


class Signed(AuthBase):
    """Signs what requests is about to send."""

    def __init__(self, stack: Stack) -> None:
        credentials = Credentials(stack.access_key_id, stack.secret_access_key)
        self._signer = SigV4Auth(credentials, "execute-api", stack.region)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature of the request as it will be sent."""
        kept = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        body = request.body.encode() if isinstance(request.body, str) else request.body
        to_sign = AWSRequest(request.method, request.url, data=body or b"", headers=kept)
        self._signer.add_auth(to_sign)
        request.headers.update(dict(to_sign.headers.items()))
        return request


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_generated_requests_are_answered_as_documented(
    stack: Stack, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(document())[path][method]

    @settings(
        max_examples=_EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered_as_documented(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=stack.api_url, auth=Signed(stack), timeout=_PATIENCE_S)
        case.validate_response(response, checks=_CHECKS if _is_stale(response) else [not_a_server_error, *_CHECKS])

    answered_as_documented()


def _is_stale(response: schemathesis.Response) -> bool:
    """Whether a monitor is told 503 because an event is too old, which is no failure of the server."""
    return response.status_code == 503 and response.json().get("fresh") is False
