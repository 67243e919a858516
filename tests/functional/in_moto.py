"""moto as the AWS of a test, emptied by copying what it held when it was new."""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable, Iterator, Mapping
from threading import Condition
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.models import botocore_stubber
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from tests.conftest import ACCOUNT, SETTINGS


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
