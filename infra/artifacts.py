"""The bucket that CloudFormation takes templates and code from: one for each account and region, made on first use."""

import base64
import hashlib
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from infra.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WAYS_OF_BEING_PUBLIC: Final = (
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
)


class Artifacts:
    """A private, encrypted, versioned bucket. Objects are named by their content, and count by their checksum."""

    def __init__(self, s3: "S3Client", account: str, region: str, name: str | None = None) -> None:
        self.bucket = name or f"retrace-artifacts-{account}-{region}"
        self._s3 = s3
        self._account = account
        self._region = region

    def prepare(self) -> None:
        """Make the bucket if need be, and see to it that it is as it should be."""
        if not self._exists():
            self._create()
        owned: Any = {"Bucket": self.bucket, "ExpectedBucketOwner": self._account}
        closed: Any = dict.fromkeys(_WAYS_OF_BEING_PUBLIC, True)
        self._s3.put_public_access_block(**owned, PublicAccessBlockConfiguration=closed)
        by_s3: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        self._s3.put_bucket_encryption(**owned, ServerSideEncryptionConfiguration={"Rules": [by_s3]})
        self._s3.put_bucket_versioning(**owned, VersioningConfiguration={"Status": "Enabled"})
        self._s3.put_bucket_policy(**owned, Policy=json.dumps(self._tls_only()))

    def keep(self, content: bytes, suffix: str) -> str:
        """Upload something, unless it is there already, byte for byte, and return its key."""
        digest = hashlib.sha256(content)
        key = digest.hexdigest() + suffix
        checksum = base64.b64encode(digest.digest()).decode()
        owned: Any = {"Bucket": self.bucket, "Key": key, "ExpectedBucketOwner": self._account}
        if self._checksum(owned) != checksum:
            self._s3.put_object(**owned, Body=content, ChecksumAlgorithm="SHA256")
        return key

    def _checksum(self, owned: Any) -> str | None:
        """The SHA-256 that S3 itself computed of an object; None if there is no object, or S3 computed another sum."""
        try:
            return self._s3.head_object(**owned, ChecksumMode="ENABLED").get("ChecksumSHA256")
        except ClientError as exc:
            if _status(exc) != HTTPStatus.NOT_FOUND:
                raise
            return None

    def forget(self) -> None:
        """Delete all that was uploaded: for an emulator, where nothing is ever rolled back to it."""
        for old in self._s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            self._s3.delete_object(Bucket=self.bucket, Key=old["Key"])

    def uri(self, key: str) -> str:
        """How a template names code."""
        return f"s3://{self.bucket}/{key}"

    def url(self, key: str) -> str:
        """How a change set names a template: with the bucket in the path, as `aws cloudformation deploy` does."""
        return f"{self._s3.meta.endpoint_url}/{self.bucket}/{key}"

    def _exists(self) -> bool:
        """Whether it is there and ours: anyone may have taken a name that can be guessed."""
        try:
            self._s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self._account)
        except ClientError as exc:
            if _status(exc) == HTTPStatus.NOT_FOUND:
                return False
            if _status(exc) == HTTPStatus.FORBIDDEN:
                raise Problem(
                    f"The bucket {self.bucket} is not yours to use: it belongs to another account, or you lack rights.",
                    "docs/deploying.md lists the rights that deploying takes.",
                ) from exc
            raise
        return True

    def _create(self) -> None:
        if self._region == "us-east-1":  # where S3 refuses to be told so
            self._s3.create_bucket(Bucket=self.bucket)
        else:
            where: Any = {"LocationConstraint": self._region}
            self._s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=where)

    def _tls_only(self) -> dict[str, Any]:
        partition = self._s3.meta.partition
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [f"arn:{partition}:s3:::{self.bucket}", f"arn:{partition}:s3:::{self.bucket}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
