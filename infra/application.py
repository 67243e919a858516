"""The packaged application, uploaded: its template, with the code where CloudFormation finds it."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from infra.artifacts import Artifacts
from infra.package import BUNDLE, TEMPLATE, PackagingFailed, package, size
from infra.problem import Problem
from infra.rollout import Tell

Template = dict[str, Any]
Finish = Callable[[Template, str, Mapping[str, str]], Template]
"""Makes of a packaged template, the place of its code and the given parameters what CloudFormation gets."""


class Make(Protocol):
    """Packages the application for a stage into a directory."""

    def __call__(self, target: Path, *, region: str, stage: str) -> None:
        """Write template and bundle."""


def with_code(template: Template, code_uri: str, _: Mapping[str, str]) -> Template:
    """Return the template with the code of its functions in S3."""
    resources = {
        name: {**resource, "Properties": {**resource["Properties"], "CodeUri": code_uri}}
        if resource["Type"] == "AWS::Serverless::Function"
        else resource
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}


@dataclass(frozen=True, slots=True)
class Application:
    """How the application is packaged, and its template finished; an emulator has ways of its own."""

    make: Make = package
    finish: Finish = with_code

    def uploaded(self, artifacts: Artifacts, region: str, stage: str, given: Mapping[str, str], say: Tell) -> Template:
        """Package the application for a stage, upload its code, and return the template."""
        with tempfile.TemporaryDirectory(prefix="retrace-deploy-") as temporary:
            directory = Path(temporary)
            say("Packaging the application …")
            try:
                self.make(directory, region=region, stage=stage)
            except PackagingFailed as exc:
                raise Problem(f"The application could not be packaged.\n{exc}", "Put that right, try again.") from exc
            bundle = directory / BUNDLE
            say(f"Uploading to {artifacts.bucket} … ({size(bundle)})")
            artifacts.prepare()
            code = artifacts.uri(artifacts.keep(bundle.read_bytes(), ".zip"))
            return self.finish(json.loads((directory / TEMPLATE).read_text()), code, given)
