"""`make drill`: tables and raw objects are lost and come back, and what is said to be there was counted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.samples import ROOT


def test_the_drill_loses_tables_and_raw_objects_and_brings_all_of_them_back(tmp_path: Path) -> None:
    done = subprocess.run(  # our own interpreter, our own module
        [sys.executable, "-m", "embedded.drill"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.findall(r"^ +(\S.*?) +(\d+) +(\d+) +(\d+) *$", done.stdout, re.MULTILINE)
    assert counted[:6] == [
        ("events, by id", "156", "156", "0"),
        ("events, as they were sent", "156", "156", "0"),
        ("entries of lists", counted[2][1], counted[2][1], "0"),
        ("numbers", "5", "5", "0"),
        ("definitions of metrics", "2", "2", "0"),
        ("refused events", "3", "3", "0"),
    ]
    assert [row[1:] for row in counted[6:]] == [("156", "156", "0")] * 5
    assert done.stdout.count("Lost: nothing.") == 2
    assert not list(tmp_path.iterdir())
