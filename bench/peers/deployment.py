"""Deploy the peers beside Retrace, onto the same emulator."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import aws_lambda_powertools

from bench.orders import Json
from embedded.admin import LOCAL_USER, Admin
from embedded.deployment import artifacts_of, deploy_template
from infra.merge import RUNTIME, load

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


def deploy(admin: Admin, module: str) -> Mapping[str, str]:
    """Deploy the peer in a module; returns the outputs of its stack."""
    artifacts = artifacts_of(admin)
    code = artifacts.keep_code(_zipped(module))
    responses = ["ReportBatchItemFailures"] if module == "powertools" else []
    outputs = deploy_template(admin, template(module, code, responses), {}, name=f"peer-{module}")
    admin.iam.put_user_policy(UserName=LOCAL_USER, PolicyName="peers", PolicyDocument=json.dumps(CALLING))
    return outputs


def _zipped(module: str) -> bytes:
    """An archive of a peer's own module, of what both share, and of what Lambda gets as a layer on AWS."""
    shared = (HERE.parent / "__init__.py", HERE / "__init__.py", HERE / "records.py")
    files = {path: path.relative_to(HERE.parents[1]) for path in shared} | {HERE / f"{module}.py": Path(f"{module}.py")}
    if module == "powertools":
        package = Path(aws_lambda_powertools.__file__).parent
        layer = (*package.rglob("*.py"), package.parent / "typing_extensions.py")
        files |= {path: path.relative_to(package.parent) for path in layer}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, name in files.items():
            archive.write(path, name)
    return content.getvalue()
