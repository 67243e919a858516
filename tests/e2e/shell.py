"""The command line, typed by somebody with an AWS key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.e2e.deployed import Deployed
from tests.e2e.samples import ROOT

Json = dict[str, Any]


@dataclass(frozen=True)
class Shell:
    """A shell in which the stack is the default profile, of somebody with an AWS key."""

    deployed: Deployed
    directory: Path
    access_key: tuple[str, str]

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command."""
        stack = asdict(self.deployed.stack)
        names = ("raw_bucket", "events_table", "dedupe_table", "replays_table", "aggregates_table")
        settings = {name: stack[name] for name in (*names, "digest_key_arn")} | {
            "url": stack["api_url"],
            "region": stack["region"],
            "endpoint_url": stack["aws_endpoint_url"],
        }
        config = self.directory / "retrace/config.toml"
        config.parent.mkdir(exist_ok=True)
        config.write_text("[default]\n" + "".join(f"{name} = {json.dumps(said)}\n" for name, said in settings.items()))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": "/nonexistent",
            "XDG_CONFIG_HOME": str(self.directory),
            "AWS_ACCESS_KEY_ID": self.access_key[0],
            "AWS_SECRET_ACCESS_KEY": self.access_key[1],
        }
        return subprocess.Popen(  # noqa: S603  # the project's own command
            [sys.executable, "-m", "retrace", *arguments],
            env=environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> tuple[int, list[Json], str]:
        """Run a command; answers its exit code, what it found, and its remarks."""
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()

    def finds(self, *arguments: str) -> list[tuple[str, str | None]]:
        """Run a command, and say which differences of which events it found; its exit code has to say so too."""
        code, found, err = self.run(*arguments)
        assert code == bool(found), err
        return sorted((each["difference"], each.get("event_id")) for each in found)
