"""The AWS account, region and caller that a command works with."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_CONFIG: Final = Config(retries={"mode": "standard", "max_attempts": 8})


def session() -> boto3.Session:
    """Return credentials and region as the AWS CLI would have them.

    There AWS_REGION wins over AWS_DEFAULT_REGION, and both over the profile's; boto3 knows only the latter two.
    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
    """
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


@dataclass(frozen=True)
class Account:
    """Clients of one account and region, and who calls."""

    number: str
    caller: str
    region: str
    cloudformation: "CloudFormationClient"
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sqs: "SQSClient"

    @classmethod
    def of(cls, session: boto3.Session) -> "Account":
        """Ask AWS who calls; raises Problem if it does not know."""
        if session.region_name is None:  # STS would answer all the same
            raise NoRegionError
        identity = session.client("sts").get_caller_identity()
        return cls(
            identity["Account"],
            identity["Arn"],
            session.region_name,
            session.client("cloudformation", config=_CONFIG),
            session.client("dynamodb", config=_CONFIG),
            session.client("s3", config=_CONFIG),
            session.client("sqs", config=_CONFIG),
        )
