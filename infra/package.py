"""Package the application for CloudFormation: sam.json and deployment.zip.

    python -m infra.package build/ [stage]

Chalice works in a copy of what it needs, so nothing is left in the checkout and two runs cannot meet. The parameter
Stage decides which stage the package becomes; Chalice's own stage is only a tag on the functions.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from infra.fingerprint import ROOT, SOURCES
from infra.merge import merged

TEMPLATE: Final = "sam.json"
BUNDLE: Final = "deployment.zip"

_NOT_SOURCE = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
_MB: Final = 1_000_000


class PackagingFailed(Exception):
    """Chalice could not package the application; the text is what it said."""


def package(target: Path, *, region: str, stage: str = "dev") -> None:
    """Write sam.json and deployment.zip for a stage to a directory, which is made if need be."""
    with tempfile.TemporaryDirectory(prefix="retrace-package-") as temporary:
        project = Path(temporary, "project")
        _copy_sources(project)
        _configure(project / ".chalice", stage)
        template = Path(temporary, "infra.json")
        template.write_text(merged())
        _run_chalice(project, template, target.resolve(), region, stage)


def size(bundle: Path) -> str:
    """Say how large a bundle is; Lambda takes 250 MB, unpacked."""
    with zipfile.ZipFile(bundle) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    return f"bundle: {bundle.stat().st_size / _MB:.1f} MB zipped, {unpacked / _MB:.1f} MB unpacked"


def _copy_sources(project: Path) -> None:
    project.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=_NOT_SOURCE)
        elif source.exists():
            shutil.copy2(source, project / name)


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
        raise PackagingFailed(finished.stdout.strip())


def main(directory: str, stage: str = "dev") -> None:
    """Package, and say how large the bundle is."""
    target = Path(directory)
    package(target, region=os.environ.get("AWS_DEFAULT_REGION", "eu-west-1"), stage=stage)
    sys.stdout.write(f"{size(target / BUNDLE)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
