"""Puts an S3 object only if its key is free, and reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws.errors import attempts_of, code_of
from chalicelib.core.errors import TryAgain
from chalicelib.core.ports import Pause

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html: of writers at the same moment some may
# be told of a conflict, which decides nothing; they should write again.
_CONFLICT = "ConditionalRequestConflict"
_EXISTS = "PreconditionFailed"
_ATTEMPTS = 5


@dataclass(frozen=True)
class WriteOnceBucket:
    """A bucket whose objects are written once."""

    s3: S3Client
    bucket: str
    pause: Pause

    def put_if_absent(self, key: str, body: bytes, content_type: str) -> bool:
        """Whether this call wrote the object; False if one was there before, which stays unchanged."""
        attempts = 0
        while attempts < _ATTEMPTS:
            try:
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) == _EXISTS:
                    return False
                if code_of(error) != _CONFLICT:
                    raise
                attempts += attempts_of(error.response)
                self.pause(attempts)
            else:
                return True
        raise TryAgain("Other requests kept writing the same object.")

    def read(self, key: str) -> bytes:
        """The bytes of an object."""
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
