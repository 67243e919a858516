"""Merge the files of infra/ into the one template that `chalice package --merge-template` accepts.

    python -m infra.merge > build/infra.json

It uses Chalice's own loader and merger, so all merges follow the same rule: maps key by key, lists and scalars as a
whole. It writes JSON, which keeps no YAML aliases; CloudFormation accepts none.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any, Final

from chalice.config import Config
from chalice.package import TemplateDeepMerger, YAMLTemplateSerializer

from infra.roles import in_template

HERE = Path(__file__).parent
ROOT = HERE.parent
FILES = (HERE / "resources.yaml", HERE / "functions.yaml", HERE / "monitoring.yaml", HERE / "catalog.yaml")
"""What makes up the packaged deployment, each merged over those before it."""

RESOURCES, FUNCTIONS, MONITORING, _ = FILES

SOURCES = ("app.py", "chalicelib", "vendor", "requirements.txt", ".chalice")
"""All that ends in a package, relative to the project; vendor/ may be absent."""

RUNTIME: str = Config().lambda_python_version
"""Lambda's name of the Python that packages: Chalice writes it into the functions that it generates."""

WITHOUT_SNAPSHOTS: Final = "python3.11"
"""The runtime that Retrace runs on and SnapStart does not: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html"""

Template = dict[str, Any]

_CALLED: Final = {
    "Fn::Sub": [
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Called}/invocations",
        {"Called": {"Fn::If": ["StartsFromSnapshots", {"Ref": "ApiAlias"}, {"Fn::GetAtt": ["APIHandler", "Arn"]}]}},
    ]
}


def load(path: Path) -> Template:
    """Read a CloudFormation file, short-form functions (`!Ref`) included."""
    return load_text(path.read_text(), path)


def load_text(text: str, path: Path) -> Template:
    """Read the text of one, which a path is named for in errors."""
    template: Template = YAMLTemplateSerializer().load_template(text, str(path))
    return template


def merged() -> str:
    """Return all of them in one, with what the functions may do, as JSON."""
    parts = [*map(load, FILES), in_template()]
    template = reduce(lambda below, above: TemplateDeepMerger().merge(above, below), parts)
    template["Resources"]["IngestHandler"]["Properties"]["Runtime"] = RUNTIME  # as of the others: they share a bundle
    return json.dumps(prepared(template, RUNTIME, fingerprint(ROOT, (*SOURCES, "infra"))), indent=2)


def prepared(template: Template, runtime: str, release: str) -> Template:
    """Return the template with SnapStart for a runtime and a release, beyond what functions.yaml says.

    Chalice has API Gateway call the function behind all routes, whose unpublished version has no snapshot. Here its
    alias is called if there is one.
    """
    versions = template["Resources"]
    for name in ("APIHandler", "IngestHandler", "ApiVersion", "IngestVersion"):
        text = versions[name]["Properties"]["Description"]["Fn::Sub"]
        versions[name]["Properties"]["Description"] = {"Fn::Sub": text.replace("RELEASE", release)}
    if runtime == WITHOUT_SNAPSHOTS:
        template["Parameters"]["SnapStart"]["AllowedValues"] = ["false"]
    _call_alias(template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"])
    return template


def _call_alias(paths: dict[str, Any]) -> None:
    from app import app  # noqa: PLC0415  # only a template has need of the routes

    for path, methods in app.routes.items():
        for method in methods:
            operation = paths.setdefault(path, {}).setdefault(method.lower(), {})
            operation.setdefault("x-amazon-apigateway-integration", {}).setdefault("uri", _CALLED)


def fingerprint(root: Path, inputs: Iterable[str]) -> str:
    """Return a hash over the names and contents of all files under the inputs: a name for what is made of them."""
    digest = hashlib.sha256()
    for path in source_files(root, inputs):
        name, content = str(path.relative_to(root)).encode(), path.read_bytes()
        digest.update(b"%d:%s%d:%s" % (len(name), name, len(content), content))
    return digest.hexdigest()[:24]


def source_files(root: Path, inputs: Iterable[str] = SOURCES) -> Iterator[Path]:
    """Yield the files under the inputs, but what Python (bytecode, and its temporary file) or Chalice made there."""
    for name in inputs:
        base = root / name
        for path in sorted(base.rglob("*")) if base.is_dir() else [base]:
            if path.is_file() and path.parent.name not in {"__pycache__", "deployed", "deployments"}:
                yield path


if __name__ == "__main__":
    sys.stdout.write(merged() + "\n")
