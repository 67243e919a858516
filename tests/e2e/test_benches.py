"""What a bench deploys, sends and counts goes together, with few events as with many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
def test_retrace_and_its_peers_do_the_same_work_for_the_comparison() -> None:
    command = [sys.executable, "-m", "bench.compare", "--quick"]

    compared = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)  # noqa: S603  # fixed ones

    assert compared.returncode == 0, compared.stderr
    assert compared.stdout.splitlines()[-1].startswith("| 100 |")
