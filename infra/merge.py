"""Merge the files of infra/ into the one template that `chalice package --merge-template` accepts.

    python -m infra.merge > build/infra.json

It uses Chalice's own loader and merger, so all merges follow the same rule: maps key by key, lists and scalars as a
whole. It writes JSON, which keeps no YAML aliases; CloudFormation accepts none.
"""

import json
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from chalice.config import Config
from chalice.package import TemplateDeepMerger, YAMLTemplateSerializer

from infra.fingerprint import ROOT, SOURCES, fingerprint
from infra.roles import in_template
from infra.snapshots import prepared

HERE = Path(__file__).parent
RESOURCES = HERE / "resources.yaml"
FUNCTIONS = HERE / "functions.yaml"
MONITORING = HERE / "monitoring.yaml"
CATALOG = HERE / "catalog.yaml"

FILES = (RESOURCES, FUNCTIONS, MONITORING, CATALOG)
"""What makes up the packaged deployment, each merged over those before it."""


RUNTIME: str = Config().lambda_python_version
"""Lambda's name of the Python that packages: Chalice writes it into the functions that it generates."""


def load(path: Path) -> dict[str, Any]:
    """Read a CloudFormation file, short-form functions (`!Ref`) included."""
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(path.read_text(), str(path))
    return template


def merged() -> str:
    """Return all of them in one, with what the functions may do, as JSON."""
    parts = [*map(load, FILES), in_template()]
    template = reduce(lambda below, above: TemplateDeepMerger().merge(above, below), parts)
    template["Resources"]["IngestHandler"]["Properties"]["Runtime"] = RUNTIME  # as of the others: they share a bundle
    template = prepared(template, RUNTIME, fingerprint(ROOT, (*SOURCES, "infra")))
    return json.dumps(template, indent=2)


if __name__ == "__main__":
    sys.stdout.write(merged() + "\n")
