"""Who has which rights in an emulated account: its administrator, the local user who calls the API, and other users.

The administrator's key is kept with the state. Its clients deploy and inspect. The application's own traffic never uses
them.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
from botocore.config import Config

from embedded.connection import Stack
from embedded.intruders import CONTROL_HEADER
from embedded.layout import HOME, Layout, write_private
from infra.command import Problem

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION: Final = "eu-west-1"
ACCOUNT: Final = "000000000000"

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CONFIG = Config(proxies={}, retries={"mode": "standard"})


@dataclass(frozen=True, slots=True)
class Administrator:
    """The only root key that an emulator accepts, and the secret of its control paths."""

    access_key_id: str
    secret_access_key: str
    control_secret: str

    @classmethod
    def new(cls) -> Self:
        """Return one that cannot be guessed."""
        key_id = "AKIA" + "".join(secrets.choice(_LETTERS) for _ in range(16))
        return cls(key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(32))

    @classmethod
    def ensured(cls, layout: Layout) -> Self:
        """Return the administrator of a state, a new one if there is no state yet."""
        if not layout.administrator_file.exists() and layout.kept_port() is None:
            cls.new().save(layout.administrator_file)
        return cls.of(layout)

    @classmethod
    def of(cls, layout: Layout) -> Self:
        """Return the administrator of a state; raises Problem if the state does not name one."""
        try:
            return cls.load(layout.administrator_file)
        except (OSError, ValueError, TypeError) as error:
            name = layout.administrator_file.name
            raise Problem(
                f"The state in {layout.directory} has no readable administrator's key ({name}).",
                "Delete the state, then start again: "
                + ("make forget" if layout.directory == HOME else f"rm -r {layout.directory}"),
            ) from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; raises OSError, ValueError or TypeError."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def save(self, path: Path) -> None:
        """Write the file."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")

    @property
    def control_headers(self) -> dict[str, str]:
        """The header that lets a request control the emulator."""
        return {CONTROL_HEADER: self.control_secret}


class Admin:
    """One client for each service."""

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Return those of the account that a stack is deployed in."""
        return cls(stack.aws_endpoint_url, Administrator.load(Path(stack.administrator_file)))

    def __init__(self, endpoint_url: str, key: Administrator) -> None:
        self.session = session = boto3.Session(key.access_key_id, key.secret_access_key, region_name=REGION)
        self.cloudformation: CloudFormationClient = session.client(
            "cloudformation", endpoint_url=endpoint_url, config=_CONFIG
        )
        self.dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=endpoint_url, config=_CONFIG)
        self.iam: IAMClient = session.client("iam", endpoint_url=endpoint_url, config=_CONFIG)
        self.functions: LambdaClient = session.client("lambda", endpoint_url=endpoint_url, config=_CONFIG)
        self.kms: KMSClient = session.client("kms", endpoint_url=endpoint_url, config=_CONFIG)
        self.s3: S3Client = session.client("s3", endpoint_url=endpoint_url, config=_CONFIG)
        self.sqs: SQSClient = session.client("sqs", endpoint_url=endpoint_url, config=_CONFIG)


LOCAL_USER = "retrace-local"
FUNCTIONS_USER = "retrace-functions"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What a user signs requests with."""

    access_key_id: str
    secret_access_key: str


def local_user(admin: Admin, outputs: dict[str, str], known: AccessKey | None) -> AccessKey:
    """Return a key of the user who may call every route, consume replays and look at what is stored.

    It is the known one if that is good.
    """
    policies = ("ProducerPolicyArn", "InvestigatorPolicyArn", "AuditorPolicyArn")
    given = [arn for name, arn in outputs.items() if name in policies or name.endswith("ConsumerPolicyArn")]
    return user_with(admin, LOCAL_USER, {"look": looking_policy()}, given, known)


def functions_user(admin: Admin, policies: Mapping[str, dict[str, Any]]) -> AccessKey:
    """Return a key with the rights of all functions together, for code of theirs that runs outside of Lambda."""
    return user_with(admin, FUNCTIONS_USER, policies)


def user_with(
    admin: Admin,
    name: str,
    policies: Mapping[str, dict[str, Any]],
    policy_arns: Iterable[str] = (),
    known: AccessKey | None = None,
) -> AccessKey:
    """Return a key of a user with these policies, own and managed: the known one if that is good."""
    if name not in {user["UserName"] for user in admin.iam.list_users()["Users"]}:
        admin.iam.create_user(UserName=name)
    for arn in policy_arns:
        admin.iam.attach_user_policy(UserName=name, PolicyArn=arn)
    for policy, document in policies.items():
        admin.iam.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    return _ensure_key(admin, name, known)


def looking_policy() -> dict[str, Any]:
    """Return the right to look at dead letters and logs, which no policy of the stack gives."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "arn:aws:sqs:*:*:retrace-*-dead-letters*"},
            {
                "Effect": "Allow",
                "Action": ["logs:DescribeLog*", "logs:FilterLogEvents", "logs:GetLogEvents"],
                "Resource": "*",
            },
        ],
    }


def _ensure_key(admin: Admin, user: str, known: AccessKey | None) -> AccessKey:
    present = [key["AccessKeyId"] for key in admin.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
    if known is not None and known.access_key_id in present:
        return known
    for key_id in present:  # its secret is lost
        admin.iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    key = admin.iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(key["AccessKeyId"], key["SecretAccessKey"])
