"""An emulator on which stages are deployed by the commands that people type, and what tests ask of a stage."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from embedded import server
from embedded.admin import REGION, Admin, Administrator
from embedded.connection import Stack
from embedded.layout import ROOT, Layout, free_port
from infra.record_outputs import environment_name
from infra.stack import Stack as CloudFormationStack
from tests.e2e.deployed import Deployed

ON_HTTP = "RefusePlainHttp=false"
"""The emulator is reached over http."""


@dataclass(frozen=True)
class Emulated:
    """An account of AWS, as far as the emulator goes."""

    endpoint_url: str
    layout: Layout

    @cached_property
    def administrator(self) -> Administrator:
        """The account's root key."""
        return Administrator.of(self.layout)

    @cached_property
    def admin(self) -> Admin:
        """Clients with root rights."""
        return Admin(self.endpoint_url, self.administrator)

    @property
    def environment(self) -> dict[str, str]:
        """What a shell must hold for the AWS CLI, boto3 and Chalice to find it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return own | {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.administrator.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.administrator.secret_access_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def run(self, module: str, *arguments: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run a command of infra/ as make does."""
        return subprocess.run(  # noqa: S603  # our own interpreter, our own module
            [sys.executable, "-m", module, *arguments],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def deploy(self, stage: str, *arguments: str) -> str:
        """Deploy a stage, in a form that the emulator understands, and return what was said."""
        finished = self.run("embedded.deployment", stage, *arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def cloudformation(self, stage: str) -> CloudFormationStack:
        """The stack of a stage."""
        return CloudFormationStack(self.admin.cloudformation, f"retrace-{stage}", every=0.05)

    def user(self, name: str, *policies: str) -> tuple[str, str]:
        """Make an IAM user with managed policies; answers its key."""
        iam = self.admin.iam
        iam.create_user(UserName=name)
        for policy in policies:
            iam.attach_user_policy(UserName=name, PolicyArn=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def reached(self, outputs: Mapping[str, str], rest_api: str, key: tuple[str, str]) -> Deployed:
        """A stage as the holder of a key reaches it."""
        named = {environment_name(name).lower(): value for name, value in outputs.items()}
        known = {field.name for field in fields(Stack)}
        return Deployed(
            Stack(
                **{name: value for name, value in named.items() if name in known and name != "api_url"},
                api_url=f"{self.endpoint_url}/_aws/execute-api/{rest_api}/api",
                access_key_id=key[0],
                secret_access_key=key[1],
                aws_endpoint_url=self.endpoint_url,
                region=REGION,
                administrator_file=str(self.layout.administrator_file),
            )
        )


@contextmanager
def emulated(directory: Path) -> Iterator[Emulated]:
    """Yield an account in which nothing is deployed."""
    layout = Layout(directory)
    emulator = server.start(layout, free_port(), kept=False)
    try:
        yield Emulated(emulator.endpoint_url, layout)
    finally:
        server.stop(layout, emulator)
