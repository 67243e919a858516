"""The command line, called on a stack as its local user or as root."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from embedded import administrator
from embedded.connection import Stack
from embedded.layout import ROOT
from infra.command import Problem

_NAMES = ("raw_bucket", "events_table", "dedupe_table", "replays_table", "aggregates_table")
_DIFFERENT = 1
"""How a command exits that found differences."""


class RetraceCommand:
    """`retrace`, with the stack as its default profile."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def lines(self, *arguments: str, as_root: bool = False, differs: bool = False) -> list[dict[str, Any]]:
        """Return what a command tells, a JSON object a line; raises Problem unless it ends as it should."""
        with tempfile.TemporaryDirectory(prefix="retrace-drill-") as directory:
            self._write_profile(Path(directory))
            done = subprocess.run(  # our own interpreter, our own module
                [sys.executable, "-m", "retrace", *arguments],
                env=self._environment(directory, as_root=as_root),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != (_DIFFERENT if differs else 0):
            raise Problem(
                f"retrace {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}",
                "docs/runbook.md has what to do.",
            )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _write_profile(self, directory: Path) -> None:
        settings = {name: getattr(self._stack, name) for name in _NAMES} | {
            "url": self._stack.api_url,
            "region": self._stack.region,
            "endpoint_url": self._stack.aws_endpoint_url,
        }
        config = directory / "retrace/config.toml"
        config.parent.mkdir()
        config.write_text("[default]\n" + "".join(f"{name} = {json.dumps(said)}\n" for name, said in settings.items()))

    def _environment(self, directory: str, *, as_root: bool) -> dict[str, str]:
        key = administrator.load(Path(self._stack.administrator_file)) if as_root else self._stack
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": directory,
            "HOME": directory,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        }
