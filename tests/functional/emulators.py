"""The AWS that the tests run on: moto in this process, MiniStack in one of its own, or first one and then the other.

What neither does, or both do otherwise than AWS, tests imitate on the wire; see docs/reliability.md.
"""

from __future__ import annotations

import copyreg
import os
import pickle
import socket
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Condition
from typing import Any, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.models import botocore_stubber
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from embedded import administrator, server
from embedded.layout import Layout
from embedded.ports import LOOPBACK, free_port
from tests.conftest import ACCOUNT, KEY, SETTINGS
from tests.functional import quick_moto

MOTO, MINISTACK = "moto", "ministack"

_ON_BOTH = {
    "test_dead_letters",
    "test_deviations",
    "test_duplicates_and_conflicts",
    "test_emulators",
    "test_ingest_faults",
    "test_ingest_races",
    "test_model",
    "test_processor",
    "test_processor_failures",
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
    if (chosen := os.environ.get("RETRACE_AWS")) and module not in _ON_MOTO:
        return [chosen]
    return [MOTO, MINISTACK] if module in _ON_BOTH else [MOTO]


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


class Moto:
    """In this process. It copies tables for each transaction and locks none, so calls must come one at a time."""

    environment: Mapping[str, str] = {"CONCURRENCY": "1"}

    def __init__(self) -> None:
        self._created: list[bytes] = []

    def emptied(self, create: Callable[[], None]) -> None:
        """Forget everything; what was created once is copied."""
        BackendDict.reset()
        reset_model_data()
        if self._created:
            for (backend, attribute), kept in zip(_held(), self._created, strict=True):
                setattr(backend, attribute, pickle.loads(kept))  # noqa: S301  # ours
            s3_backends.bucket_accounts[SETTINGS["RAW_BUCKET"]] = ("aws", ACCOUNT)
        else:
            create()
            self._created = [pickle.dumps(getattr(backend, attribute)) for backend, attribute in _held()]

    def deliver(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse:
        """Do what a request says."""
        answer = botocore_stubber(event_name, request)
        assert answer is not None, "the call is for none of the services that are emulated"
        return answer


copyreg.pickle(Condition, lambda condition: (Condition, ()))  # a queue has one, which is not held while it is copied


def _held() -> Iterator[tuple[Any, str]]:
    """Where moto keeps what Retrace's resources are."""
    region = SETTINGS["AWS_DEFAULT_REGION"]
    yield dynamodb_backends[ACCOUNT][region], "tables"
    yield s3_backends[ACCOUNT]["aws"], "buckets"
    yield sqs_backends[ACCOUNT][region], "queues"


class MiniStack:
    """In a process of its own, over HTTP, so several calls may come at the same time."""

    def __init__(self, running: server.Server) -> None:
        self._port = running.port
        # As botocore's own have it; without it each call waits for 40 ms.
        at_once: Any = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the stubs have it otherwise
        self._session = URLLib3Session(max_pool_connections=32, socket_options=[at_once])
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
    with _moto() if name == MOTO else _ministack() as emulator, _environment(emulator.environment):
        yield emulator


@contextmanager
def _moto() -> Iterator[Moto]:
    # Service models are read once for all tests: the session that caches them is kept, and with it the credentials.
    quick_moto.hasten()
    with mock_aws(config={"core": {"reset_boto3_session": False, "mock_credentials": False}}):
        yield Moto()


@contextmanager
def _ministack() -> Iterator[MiniStack]:
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(Path(directory))
        administrator.save(layout.administrator_file, KEY)
        started = server.start(layout, free_port(), kept=False, account=ACCOUNT)
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
