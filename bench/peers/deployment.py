"""Deploy the peers beside Retrace, onto the same emulator."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import aws_lambda_powertools

from bench.peers.template import template
from embedded.admin import Admin
from embedded.deployment import artifacts_of, deploy_template
from embedded.users import LOCAL_USER

HERE = Path(__file__).parent

CALLING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}],
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """Where a peer is, and what it keeps."""

    stack: str
    api_url: str
    bucket: str
    queue_url: str
    events_table: str
    dedupe_table: str
    counts_table: str


def plain(admin: Admin) -> Deployed:
    """Deploy the plain design."""
    return _deployed(admin, "plain", [HERE / "plain.py"], [])


def powertools(admin: Admin) -> Deployed:
    """Deploy the one that is made with aws-lambda-powertools, which Lambda gets as a layer on AWS."""
    package = Path(aws_lambda_powertools.__file__).parent
    return _deployed(
        admin,
        "powertools",
        [HERE / "powertools.py", *package.rglob("*.py"), package.parent / "typing_extensions.py"],
        ["ReportBatchItemFailures"],
    )


def _deployed(admin: Admin, module: str, files: Iterable[Path], responses: list[str]) -> Deployed:
    artifacts = artifacts_of(admin)
    code = artifacts.uri(artifacts.keep(_zipped(files), ".zip"))
    stack = f"peer-{module}"
    made = deploy_template(admin, template(module, code, responses), {}, name=stack)
    admin.iam.put_user_policy(UserName=LOCAL_USER, PolicyName="peers", PolicyDocument=json.dumps(CALLING))
    return Deployed(
        stack=stack,
        api_url=f"{admin.s3.meta.endpoint_url}/_aws/execute-api/{made['Api']}/api",
        bucket=made["Bucket"],
        queue_url=made["Queue"],
        events_table=made["EventsTable"],
        dedupe_table=made["DedupeTable"],
        counts_table=made["CountsTable"],
    )


def _zipped(files: Iterable[Path]) -> bytes:
    """An archive of a peer's own module, and of packages beside it."""
    packages = Path(aws_lambda_powertools.__file__).parents[1]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(HERE if path.parent == HERE else packages))
    return content.getvalue()
