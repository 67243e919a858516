"""Package the application for CloudFormation: sam.json and deployment.zip.

    python -m infra.package build/

Chalice works in a copy of what it needs, so nothing is left in the checkout and two runs cannot meet.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.merge import merged

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("app.py", "chalicelib", "vendor", "requirements.txt", ".chalice")
"""All that ends in a package, relative to the project; vendor/ may be absent."""

_NOT_SOURCE = shutil.ignore_patterns("__pycache__", "deployed", "deployments")


class PackagingFailed(Exception):
    """Chalice could not package the application; the text is what it said."""


def package(target: Path, *, region: str, stage: str = "dev") -> None:
    """Write sam.json and deployment.zip for a stage to a directory, which is made if need be."""
    with tempfile.TemporaryDirectory(prefix="retrace-package-") as temporary:
        project = Path(temporary, "project")
        _copy_sources(project)
        template = Path(temporary, "infra.json")
        template.write_text(merged())
        _run_chalice(project, template, target.resolve(), region, stage)


def _copy_sources(project: Path) -> None:
    project.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=_NOT_SOURCE)
        elif source.exists():
            shutil.copy2(source, project / name)


def _run_chalice(project: Path, template: Path, target: Path, region: str, stage: str) -> None:
    chalice = Path(sys.executable).with_name("chalice")
    finished = subprocess.run(
        [chalice, "--project-dir", project, "package", "--stage", stage, "--merge-template", template, target],
        env={**os.environ, "AWS_DEFAULT_REGION": region},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise PackagingFailed(finished.stdout.strip())


if __name__ == "__main__":
    package(Path(sys.argv[1]), region=os.environ.get("AWS_DEFAULT_REGION", "eu-west-1"))
