"""Deploy the peers beside Retrace, onto the same emulator."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aws_lambda_powertools

from embedded.admin import Admin
from embedded.deployment import artifacts_of, deploy_template
from embedded.users import LOCAL_USER
from infra.merge import RUNTIME, load

Json = dict[str, Any]

HERE = Path(__file__).parent
TEMPLATE = HERE / "template.yaml"
TABLES = {"EVENTS_TABLE": "EventsTable", "DEDUPE_TABLE": "DedupeTable", "COUNTS_TABLE": "CountsTable"}
SHAPES = {name: load(TEMPLATE)["Resources"][name]["Properties"] for name in TABLES.values()}
"""What each table is created with."""

INDEX_KEYS = {"EventsTable": ["type_day"]}
CALLING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}],
}


def template(module: str, code_uri: str, responses: list[str]) -> Json:
    """The template of the peer in a module; `responses` are the kinds of response that its processor gives."""
    found = load(TEMPLATE)
    functions = {name: found["Resources"][name]["Properties"] for name in ("ApiFunction", "Processor")}
    for properties, handler in zip(functions.values(), ("api", "process"), strict=True):
        properties |= {"Runtime": RUNTIME, "Handler": f"{module}.{handler}", "CodeUri": code_uri}
    functions["Processor"]["Events"]["Messages"]["Properties"]["FunctionResponseTypes"] = responses
    return found


def plain(admin: Admin) -> Mapping[str, str]:
    """Deploy the plain design; returns the outputs of its stack."""
    return _deployed(admin, "plain", [HERE / "plain.py"], [])


def powertools(admin: Admin) -> Mapping[str, str]:
    """Deploy the one that is made with aws-lambda-powertools, which Lambda gets as a layer on AWS."""
    package = Path(aws_lambda_powertools.__file__).parent
    files = [HERE / "powertools.py", *package.rglob("*.py"), package.parent / "typing_extensions.py"]
    return _deployed(admin, "powertools", files, ["ReportBatchItemFailures"])


def stack_of(module: str) -> str:
    """The name of a peer's stack."""
    return f"peer-{module}"


def _deployed(admin: Admin, module: str, files: Iterable[Path], responses: list[str]) -> Mapping[str, str]:
    artifacts = artifacts_of(admin)
    code = artifacts.uri(artifacts.keep(_zipped(files), ".zip"))
    outputs = deploy_template(admin, template(module, code, responses), {}, name=stack_of(module))
    admin.iam.put_user_policy(UserName=LOCAL_USER, PolicyName="peers", PolicyDocument=json.dumps(CALLING))
    return outputs


def _zipped(files: Iterable[Path]) -> bytes:
    """An archive of a peer's own module, and of packages beside it."""
    packages = Path(aws_lambda_powertools.__file__).parents[1]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(HERE if path.parent == HERE else packages))
    return content.getvalue()
