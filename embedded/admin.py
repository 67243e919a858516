"""boto3 clients with root rights on an emulator: for deploying and looking, never for the application's own traffic."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from embedded.server import REGION, ROOT_KEY_ID, ROOT_SECRET

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

    def __init__(self, endpoint_url: str) -> None:
        session = boto3.Session(aws_access_key_id=ROOT_KEY_ID, aws_secret_access_key=ROOT_SECRET, region_name=REGION)
        self.cloudformation: CloudFormationClient = session.client(
            "cloudformation", endpoint_url=endpoint_url, config=_NO_PROXY
        )
        self.dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.iam: IAMClient = session.client("iam", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.functions: LambdaClient = session.client("lambda", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.kms: KMSClient = session.client("kms", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint_url, config=_NO_PROXY)
        self.sqs: SQSClient = session.client("sqs", endpoint_url=endpoint_url, config=_NO_PROXY)
