"""The AWS that the tests run on: moto in this process, or MiniStack in one of its own. RETRACE_AWS chooses.

What the two cannot do, or do otherwise than AWS, tests imitate on the wire; see docs/reliability.md.
"""

from __future__ import annotations

import os
import socket
import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.models import botocore_stubber

from embedded import server
from embedded.layout import Layout
from embedded.ports import LOOPBACK, free_port

MOTO, MINISTACK = "moto", "ministack"


class Emulator(Protocol):
    """Stands for AWS."""

    environment: Mapping[str, str]
    """What clients and the application need to be told beside the settings of all tests."""

    @abstractmethod
    def empty(self) -> None:
        """Forget everything."""

    @abstractmethod
    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Do what a request says; answers what AWS answers."""


class Moto:
    """In this process. It copies tables for each transaction and locks none, so calls must come one at a time."""

    environment: Mapping[str, str] = {"CONCURRENCY": "1"}

    def empty(self) -> None:
        """Forget everything."""
        BackendDict.reset()
        reset_model_data()

    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Do what a request says."""
        answer = botocore_stubber(event_name, request)
        assert answer is not None, "the call is for none of the services that are emulated"
        return answer


class MiniStack:
    """In a process of its own, over HTTP, so several calls may come at the same time."""

    def __init__(self, running: server.Server) -> None:
        self._port = running.port
        # As botocore's own have it; without it each call waits for 40 ms.
        at_once = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session = URLLib3Session(max_pool_connections=32, socket_options=[at_once])
        # A key id of twelve digits is that account's root to it.
        account = "123456789012"
        self.environment: Mapping[str, str] = {
            "AWS_ENDPOINT_URL": running.endpoint_url,
            "AWS_ACCESS_KEY_ID": account,
            "NO_PROXY": LOOPBACK,
            "CONCURRENCY": "8",
        }

    def empty(self) -> None:
        """Forget everything; takes a millisecond, as there are no functions to end."""
        connection = HTTPConnection(LOOPBACK, self._port)
        connection.request("POST", "/_ministack/reset")
        assert connection.getresponse().status == HTTPStatus.OK
        connection.close()

    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request over HTTP."""
        answer: AWSResponse = self._session.send(request)
        return answer


@contextmanager
def running(name: str) -> Iterator[Emulator]:
    """An emulator by its name, and the environment that clients of it need."""
    with _moto() if name == MOTO else _ministack() as emulator, _environment(emulator.environment):
        yield emulator


@contextmanager
def _moto() -> Iterator[Moto]:
    # Service models are read once for all tests: the session that caches them is kept.
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield Moto()


@contextmanager
def _ministack() -> Iterator[MiniStack]:
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(Path(directory))
        started = server.start(layout, free_port(), kept=False)
        try:
            yield MiniStack(started)
        finally:
            server.stop(layout, started)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
