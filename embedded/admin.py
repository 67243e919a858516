"""boto3 clients with root rights on an emulator: for deploying and looking, never for the application's own traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from embedded import administrator
from embedded.administrator import Administrator
from embedded.connection import Stack
from embedded.server import REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_NO_PROXY = Config(proxies={}, retries={"mode": "standard"})


class Admin:
    """One client for each service."""

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Return those of the account that a stack is deployed in."""
        return cls(stack.aws_endpoint_url, administrator.load(Path(stack.administrator_file)))

    def __init__(self, endpoint_url: str, key: Administrator) -> None:
        self.session = session = boto3.Session(key.access_key_id, key.secret_access_key, region_name=REGION)
        self.cloudformation: CloudFormationClient = session.client(
            "cloudformation", endpoint_url=endpoint_url, config=_NO_PROXY
        )
        self.dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.iam: IAMClient = session.client("iam", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.functions: LambdaClient = session.client("lambda", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.kms: KMSClient = session.client("kms", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.sqs: SQSClient = session.client("sqs", endpoint_url=endpoint_url, config=_NO_PROXY)
