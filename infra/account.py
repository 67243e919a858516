"""Opens the AWS account that a command works with: clients, errors in words, and the bucket for deployments."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.exceptions as aws
from botocore.config import Config

from infra.command import Problem

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_CONFIG: Final = Config(retries={"mode": "standard", "max_attempts": 8})

_NOT_KNOWN: Final = frozenset(
    {
        *("AuthFailure", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId"),
        *("InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"),
    }
)
_LOG_IN: Final = "Log in, as with `aws sso login` or `aws configure`, and choose the profile with AWS_PROFILE."
_PUT_RIGHT: Final = "Correct that and try again. Completed work is kept."
_NETWORK: Final = "Check the network and the region, then try again."
_RIGHTS: Final = "docs/deploying.md lists the permissions that deploying needs."

_UNASKED: Final = (
    (aws.NoRegionError, "No AWS region is chosen.", "Choose one: AWS_REGION=eu-west-1 make deploy …"),
    ((aws.NoCredentialsError, aws.PartialCredentialsError), "No AWS credentials were found.", _LOG_IN),
    (aws.ProfileNotFound, "{}.", "AWS_PROFILE chooses it; `aws configure list-profiles` lists them."),
    ((aws.CredentialRetrievalError, aws.SSOError), "The AWS credentials have expired: {}", _LOG_IN),
    ((aws.ConnectionError, aws.HTTPClientError), "AWS cannot be reached: {}", _NETWORK),
    (aws.BotoCoreError, "AWS could not be called: {}", _PUT_RIGHT),
)
"""Errors of boto3 with a message and a remedy. The first that fits counts."""

_WAYS_OF_BEING_PUBLIC: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def session() -> boto3.Session:
    """Return credentials and region as the AWS CLI would have them.

    There AWS_REGION wins over AWS_DEFAULT_REGION, and both over the profile's; boto3 knows only the latter two.
    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
    """
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


@dataclass(frozen=True)
class Account:
    """Clients of one account and region, and the caller."""

    number: str
    caller: str
    region: str
    cloudformation: "CloudFormationClient"
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sqs: "SQSClient"

    @classmethod
    def of(cls, session: boto3.Session) -> "Account":
        """Return the caller, as AWS knows it."""
        if session.region_name is None:  # STS would answer all the same
            raise aws.NoRegionError
        identity = session.client("sts").get_caller_identity()
        names: Any = ("cloudformation", "dynamodb", "s3", "sqs")
        clients = {name: session.client(name, config=_CONFIG) for name in names}
        return cls(identity["Account"], identity["Arn"], session.region_name, **clients)

    def __str__(self) -> str:
        return f"Account {self.number}, region {self.region}, as {self.caller}"


@contextmanager
def aws_errors_in_words() -> Iterator[None]:
    """Turn the errors that boto3 raises into Problem."""
    try:
        yield
    except (aws.BotoCoreError, aws.ClientError) as error:
        raise problem_of(error) from error


def problem_of(error: aws.BotoCoreError | aws.ClientError) -> Problem:
    """Return what is wrong, and the remedy."""
    if isinstance(error, aws.ClientError):
        return _problem_of(error)
    what, remedy = next(words for kinds, *words in _UNASKED if isinstance(error, kinds))
    return Problem(what.format(error), remedy)


def _problem_of(error: aws.ClientError) -> Problem:
    code = error.response["Error"]["Code"]
    if code in _NOT_KNOWN:
        return Problem(f"AWS does not accept the credentials: {error}", _LOG_IN)
    if "AccessDenied" in code or code in {"403", "UnauthorizedOperation"}:
        return Problem(f"You may not do this: {error}", _RIGHTS)
    return Problem(f"AWS refused a call: {error}", _PUT_RIGHT)


class Artifacts:
    """The private, encrypted, versioned bucket that CloudFormation takes templates and code from.

    Each account and region has one, made on first use. Objects are named by their content, and count by their checksum.
    """

    def __init__(self, s3: "S3Client", account: str, region: str, name: str | None = None) -> None:
        self.bucket = name or f"retrace-artifacts-{account}-{region}"
        self._s3 = s3
        self._region = region
        self._owned: Any = {"Bucket": self.bucket, "ExpectedBucketOwner": account}

    def prepare(self) -> None:
        """Make the bucket if need be, and see to it that it is as it should be."""
        if not self._exists():
            self._create()
        closed: Any = dict.fromkeys(_WAYS_OF_BEING_PUBLIC, True)
        self._s3.put_public_access_block(**self._owned, PublicAccessBlockConfiguration=closed)
        by_s3: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        self._s3.put_bucket_encryption(**self._owned, ServerSideEncryptionConfiguration={"Rules": [by_s3]})
        self._s3.put_bucket_versioning(**self._owned, VersioningConfiguration={"Status": "Enabled"})
        self._s3.put_bucket_policy(**self._owned, Policy=json.dumps(self._tls_only()))

    def keep(self, content: bytes, suffix: str) -> str:
        """Upload something, unless it is there already, byte for byte, and return its key."""
        digest = hashlib.sha256(content)
        key = digest.hexdigest() + suffix
        if self._checksum(key) != base64.b64encode(digest.digest()).decode():
            self._s3.put_object(**self._owned, Key=key, Body=content, ChecksumAlgorithm="SHA256")
        return key

    def _checksum(self, key: str) -> str | None:
        """The SHA-256 that S3 itself computed of an object; None if there is no object, or S3 computed another sum."""
        try:
            return self._s3.head_object(**self._owned, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
        except aws.ClientError as error:
            if _status(error) != HTTPStatus.NOT_FOUND:
                raise
            return None

    def forget(self) -> None:
        """Delete all that was uploaded: for an emulator, where nothing is ever rolled back to it."""
        for old in self._s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
            self._s3.delete_object(Bucket=self.bucket, Key=old["Key"])

    def keep_code(self, bundle: bytes) -> str:
        """Upload code; return how a template names it."""
        return f"s3://{self.bucket}/{self.keep(bundle, '.zip')}"

    def keep_template(self, template: Mapping[str, Any]) -> str:
        """Upload a template; return how a change set names it: with the bucket in the path, as the AWS CLI does."""
        return f"{self._s3.meta.endpoint_url}/{self.bucket}/{self.keep(json.dumps(template).encode(), '.json')}"

    def _exists(self) -> bool:
        """Whether it is there and ours: anyone may have taken a name that can be guessed."""
        try:
            self._s3.head_bucket(**self._owned)
        except aws.ClientError as error:
            if _status(error) == HTTPStatus.NOT_FOUND:
                return False
            if _status(error) == HTTPStatus.FORBIDDEN:
                raise Problem(
                    f"The bucket {self.bucket} is not yours to use: it belongs to another account, or you lack rights.",
                    _RIGHTS,
                ) from error
            raise
        return True

    def _create(self) -> None:
        where: Any = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        if self._region == "us-east-1":  # where S3 refuses to be told so
            where = {}
        self._s3.create_bucket(Bucket=self.bucket, **where)

    def _tls_only(self) -> dict[str, Any]:
        bucket = f"arn:{self._s3.meta.partition}:s3:::{self.bucket}"
        statement: dict[str, Any] = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
        statement |= {"Resource": [bucket, f"{bucket}/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        return {"Version": "2012-10-17", "Statement": [statement]}


def _status(error: aws.ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
