"""The sample in examples/: it is what its generator writes and what its README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLE = EXAMPLES / "shop-day"


def test_the_generator_writes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLE / "generate.py", tmp_path], check=True)  # noqa: S603  # our own script

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in SAMPLE.glob("*.ndjson")}


def test_the_readme_says_how_many_lines_each_file_has() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (\d+) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

    said = {name: int(lines) for name, lines in rows}
    assert said == {path.name: len(path.read_text().splitlines()) for path in SAMPLE.glob("*.ndjson")}
