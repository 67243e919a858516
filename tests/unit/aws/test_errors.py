"""The seam to AWS: what may be tried again is told from what may not, and no error of botocore's gets through."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from chalicelib.aws.errors import translated
from chalicelib.core.errors import NotFound, RetraceError, StorageRefused, TryAgain


def client_error(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutObject",
    )


def translation_of(error: Exception) -> RetraceError:
    with pytest.raises(RetraceError) as caught, translated("storing raw events"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SlowDown", 503),
        ("ThrottlingException", 400),
        ("ProvisionedThroughputExceededException", 400),
        ("TransactionInProgressException", 400),
        ("ConditionalRequestConflict", 409),
        ("InternalError", 500),
        ("Unheard", 502),
    ],
)
def test_what_aws_did_not_take_now_may_be_tried_again(code: str, status: int) -> None:
    error = translation_of(client_error(code, status))

    assert isinstance(error, TryAgain)
    assert str(error) == f"AWS did not take a call while storing raw events ({code})."


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("ValidationException", 400), ("NoSuchBucket", 404)]
)
def test_what_aws_refused_may_not(code: str, status: int) -> None:
    error = translation_of(client_error(code, status))

    assert isinstance(error, StorageRefused)
    assert str(error) == f"AWS refused a call while storing raw events ({code})."


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        BotoCoreError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_where_aws_could_not_be_reached_it_may_be_tried_again(error: Exception) -> None:
    assert isinstance(translation_of(error), TryAgain)


def test_errors_of_our_own_pass_through() -> None:
    with pytest.raises(NotFound), translated("reading"):
        raise NotFound("nothing there")


def test_missing_credentials_are_named() -> None:
    assert "NoCredentialsError" in str(translation_of(NoCredentialsError()))
