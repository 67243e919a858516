"""A stage that takes webhooks: signed ones, by curl as docs/api.md shows it, and nothing else on any route."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import urllib3

from embedded.layout import Layout, free_port
from embedded.stack import down, up
from infra.command import silent
from tests.e2e.deployed import Deployed
from tests.e2e.samples import ROOT
from tests.functional.events import as_json, paid

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of this test alone
BODY = as_json(paid())
_SESSION = re.compile(r"### Webhooks\n.*?```sh\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Stage:
    """A deployed stage whose parameters can be changed."""

    layout: Layout
    deployed: Deployed

    def changed(self, **parameters: str) -> Stage:
        """Deploy again with other parameters. MiniStack then makes another API, where AWS keeps the one there is."""
        return Stage(self.layout, Deployed(up(self.layout, None, silent, parameters)))

    def unsigned(self, method: str, path: str, body: bytes = b"") -> int:
        """The status of a request without any signature."""
        return urllib3.request(
            method,
            self.deployed.stack.api_url + path,
            body=body,
            headers={"Content-Type": "application/json"},
            retries=False,
            timeout=60,
        ).status

    def curled(self, secret: str) -> str:
        """What the session of docs/api.md prints."""
        found = _SESSION.search((ROOT / "docs/api.md").read_text())
        assert found is not None
        finished = subprocess.run(  # noqa: S603  # the page of our own docs
            ["/bin/bash", "-c", f"set -eu\nsecret={secret}\n{found[1]}"],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "RETRACE_URL": self.deployed.stack.api_url},
            capture_output=True,
            text=True,
            check=True,
        )
        return finished.stdout


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage as it is deployed by default."""
    layout = Layout(tmp_path_factory.mktemp("webhooks"))
    stack = up(layout, free_port(), silent)
    try:
        yield Stage(layout, Deployed(stack))
    finally:
        down(layout, silent)


@pytest.fixture(scope="module")
def secret_arn(stage: Stage) -> str:
    """A secret in Secrets Manager."""
    session, endpoint_url = stage.deployed.admin.session, stage.deployed.stack.aws_endpoint_url
    client = session.client("secretsmanager", endpoint_url=endpoint_url)
    return client.create_secret(Name="webhooks", SecretString=SECRET)["ARN"]


def test_webhooks_are_taken_where_a_parameter_says_so_and_only_then(stage: Stage, secret_arn: str) -> None:
    before = stage.unsigned("POST", "/ingest", BODY)
    takes_webhooks = stage.changed(WebhookSecretArn=secret_arn)
    unsigned = takes_webhooks.unsigned("POST", "/ingest", BODY)
    elsewhere = takes_webhooks.unsigned("GET", "/events?entity_id=order-1")
    forged, signed = takes_webhooks.curled(f"whsec_{32 * 'A'}"), takes_webhooks.curled(SECRET)
    kept = takes_webhooks.deployed.get("/events", entity_id="order-1")["items"]
    after = stage.changed().unsigned("POST", "/ingest", BODY)

    assert (before, unsigned, elsewhere, after) == (403, 401, 403, 403)
    assert '"status":401' in forged
    assert '"status":"ACCEPTED"' in signed
    assert len(kept) == 1
