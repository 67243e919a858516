"""The AWS that the tests run on: moto in this process, MiniStack or DynamoDB Local in one of its own, or two in turn.

What none of them does, or does otherwise than AWS, tests imitate on the wire; see tests/README.md.
"""

from __future__ import annotations

import os
import socket
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.core.models import botocore_stubber

from embedded import server
from embedded.layout import LOOPBACK, Layout, free_port
from tests.conftest import ACCOUNT, KEY
from tests.functional import clients, dynamodb_local, quick_moto
from tests.functional.in_moto import Moto

MOTO, MINISTACK, DYNAMODB_LOCAL = "moto", "ministack", "dynamodb-local"

_ON_BOTH = {
    "test_dead_letters",
    "test_deviations",
    "test_duplicates_and_conflicts",
    "test_emulators",
    "test_group_explosion",
    "test_ingest_faults",
    "test_ingest_races",
    "test_missing",
    "test_model",
    "test_processor",
    "test_processor_failures",
    "test_rebuilding",
    "test_replay_control",
    "test_replay_planning",
}
"""What depends most on how conditions, transactions, batches and queues behave. The rest runs on moto alone."""


_ON_MOTO = {
    "test_digests",  # notifications with versions, and signatures of hashes, are put into moto by the test
}
"""What cannot run on MiniStack; tests/e2e/test_digests.py runs the same there, deployed."""


def chosen_for(module: str) -> list[str]:
    """The emulators that a module's tests run on; RETRACE_AWS chooses one of them for all."""
    chosen = os.environ.get("RETRACE_AWS")
    if chosen and not (chosen == MINISTACK and module in _ON_MOTO):
        return [chosen]
    return [MOTO, MINISTACK] if module in _ON_BOTH else [MOTO]


def judges_storage(module: str) -> bool:
    """Whether a module's tests run on more than one emulator, as they depend on how each behaves."""
    return module in _ON_BOTH


class Emulator(Protocol):
    """Stands for AWS."""

    environment: Mapping[str, str]
    """What clients and the application need to be told beside the settings of all tests."""

    @abstractmethod
    def emptied(self, create: Callable[[], None]) -> None:
        """Forget everything, and hold what the function creates, which is the same each time."""

    @abstractmethod
    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Do what a request says; answers what AWS answers."""


def _session() -> URLLib3Session:
    """Connections to an emulator in a process of its own."""
    # As botocore's own have it; without it each call waits for 40 ms.
    at_once: Any = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the stubs have it otherwise
    return URLLib3Session(max_pool_connections=32, socket_options=[at_once])


class DynamoDBLocal:
    """AWS's own DynamoDB for tests, in a process of its own, over HTTP; buckets and queues are moto's."""

    def __init__(self, endpoint_url: str) -> None:
        self._session = _session()
        self.environment: Mapping[str, str] = {
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint_url,
            "NO_PROXY": LOOPBACK,
            "CONCURRENCY": "1",
        }

    def emptied(self, create: Callable[[], None]) -> None:
        """Forget everything, and create it again."""
        for name in clients.dynamodb().list_tables()["TableNames"]:
            clients.dynamodb().delete_table(TableName=name)
        Moto().emptied(create)

    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Do what a request says."""
        answer: AWSResponse | None = botocore_stubber(event_name, request)
        return self._session.send(request) if answer is None else answer


class MiniStack:
    """In a process of its own, over HTTP, so several calls may come at the same time."""

    def __init__(self, running: server.Server) -> None:
        self._port = running.port
        self._session = _session()
        self.environment: Mapping[str, str] = {
            "AWS_ENDPOINT_URL": running.endpoint_url,
            "NO_PROXY": LOOPBACK,
            "CONCURRENCY": "8",
        }

    def emptied(self, create: Callable[[], None]) -> None:
        """Forget everything, which takes a millisecond, as there are no functions to end; create it again."""
        connection = HTTPConnection(LOOPBACK, self._port)
        connection.request("POST", "/_ministack/reset", headers=KEY.control_headers)
        assert connection.getresponse().status == HTTPStatus.OK
        connection.close()
        create()

    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request over HTTP."""
        answer: AWSResponse = self._session.send(request)
        return answer


@contextmanager
def running(name: str) -> Iterator[Emulator]:
    """An emulator by its name, and the environment that clients of it need."""
    with _STARTED[name]() as emulator, _environment(emulator.environment):
        yield emulator


@contextmanager
def _moto() -> Iterator[Moto]:
    # Service models are read once for all tests: the session that caches them is kept, and with it the credentials.
    quick_moto.patch_moto()
    with mock_aws(config={"core": {"reset_boto3_session": False, "mock_credentials": False}}):
        yield Moto()


@contextmanager
def _dynamodb_local() -> Iterator[DynamoDBLocal]:
    with _moto(), dynamodb_local.running() as endpoint_url:
        yield DynamoDBLocal(endpoint_url)


@contextmanager
def _ministack() -> Iterator[MiniStack]:
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(Path(directory))
        KEY.save(layout.administrator_file)
        started = server.start(layout, free_port(), kept=False, account=ACCOUNT)
        try:
            yield MiniStack(started)
        finally:
            server.stop(layout, started)


_STARTED: Mapping[str, Callable[[], AbstractContextManager[Emulator]]] = {
    MOTO: _moto,
    MINISTACK: _ministack,
    DYNAMODB_LOCAL: _dynamodb_local,
}


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
