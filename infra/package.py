"""Package the application for CloudFormation, as sam.json and deployment.zip, and upload it.

    python -m infra.package build/ [stage]

Chalice works in a copy of what it needs, so nothing is left in the checkout and two runs cannot meet. The parameter
Stage decides which stage the package becomes; Chalice's own stage is only a tag on the functions.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.account import Artifacts
from infra.command import Problem, Tell, exit_status, say
from infra.destination_file import DEFAULT, Declarations, declared_in, file_of
from infra.destinations import with_destinations
from infra.merge import ROOT, Template, merged, source_files

TEMPLATE: Final = "sam.json"
BUNDLE: Final = "deployment.zip"

_MB: Final = 1_000_000

Make = Callable[[Path, str, str], None]
"""Writes template and bundle of the application to a directory, for a region and a stage."""

Finish = Callable[[Template, str, Mapping[str, str]], Template]
"""Makes of a packaged template, the place of its code and the given parameters what CloudFormation gets."""


def package(target: Path, region: str, stage: str = "dev") -> None:
    """Write sam.json and deployment.zip for a stage to a directory, which is made if need be."""
    with tempfile.TemporaryDirectory(prefix="retrace-package-") as temporary:
        project = Path(temporary, "project")
        for source in source_files(ROOT):
            target_file = project / source.relative_to(ROOT)
            target_file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target_file)
        _configure(project / ".chalice", stage)
        template = Path(temporary, "infra.json")
        template.write_text(merged())
        _run_chalice(project, template, target.resolve(), region, stage)


def size(bundle: Path) -> str:
    """Say how large a bundle is; Lambda takes 250 MB, unpacked."""
    with zipfile.ZipFile(bundle) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    return f"bundle: {bundle.stat().st_size / _MB:.1f} MB zipped, {unpacked / _MB:.1f} MB unpacked"


def _configure(directory: Path, stage: str) -> None:
    """Leave nothing that was recorded for `chalice deploy`: names and rights come from the template."""
    file = directory / "config.json"
    config: dict[str, Any] = json.loads(file.read_text())
    config["stages"] = {stage: {"environment_variables": {"STAGE": stage}}}
    file.write_text(json.dumps(config))


def _run_chalice(project: Path, template: Path, target: Path, region: str, stage: str) -> None:
    chalice = Path(sys.executable).with_name("chalice")
    finished = subprocess.run(
        [chalice, "--project-dir", project, "package", "--stage", stage, "--merge-template", template, target],
        env={**os.environ, "AWS_DEFAULT_REGION": region, "PYTHONDONTWRITEBYTECODE": "1"},  # it would end in the bundle
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        said = finished.stdout.strip()
        raise Problem(f"The application could not be packaged.\n{said}", "Fix that and try again.")


def with_code(template: Template, code_uri: str, _: Mapping[str, str]) -> Template:
    """Return the template with the code of its functions in S3."""
    changed = copy.deepcopy(template)
    for resource in changed["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code_uri
    return changed


@dataclass(frozen=True, slots=True)
class Application:
    """How the application is packaged, and its template finished; an emulator has ways of its own."""

    make: Make = package
    finish: Finish = with_code

    def uploaded(  # noqa: PLR0913  # where, what, and how to report
        self,
        artifacts: Artifacts,
        region: str,
        stage: str,
        given: Mapping[str, str],
        tell: Tell,
        *,
        destinations: Declarations = DEFAULT,
    ) -> Template:
        """Package the application for a stage, upload its code, and return the template with its destinations."""
        with tempfile.TemporaryDirectory(prefix="retrace-deploy-") as temporary:
            directory = Path(temporary)
            tell("Packaging the application …")
            self.make(directory, region, stage)
            bundle = directory / BUNDLE
            tell(f"Uploading to {artifacts.bucket} … ({size(bundle)})")
            artifacts.prepare()
            code = artifacts.keep_code(bundle.read_bytes())
            template = with_destinations(json.loads((directory / TEMPLATE).read_text()), destinations)
            return self.finish(template, code, given)


def main(directory: str, stage: str = "dev") -> None:
    """Package, and say how large the bundle is."""
    target, region = Path(directory), os.environ.get("AWS_DEFAULT_REGION", "eu-west-1")
    declared = declared_in(file_of(stage), region, stage)
    package(target, region=region, stage=stage)
    template = with_destinations(json.loads((target / TEMPLATE).read_text()), declared)
    (target / TEMPLATE).write_text(json.dumps(template, indent=2))
    say(size(target / BUNDLE))


if __name__ == "__main__":
    sys.exit(exit_status(lambda: main(*sys.argv[1:]), "Interrupted."))
