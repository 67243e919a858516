"""IAM users on the emulator: the local user, who calls the API, and others with rights of policies and functions."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from embedded.admin import Admin

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
    policies = ("ProducerPolicyArn", "InvestigatorPolicyArn", "AuditorPolicyArn", "ConsumerPolicyArn")
    return user_with(admin, LOCAL_USER, {"look": looking_policy()}, [outputs[policy] for policy in policies], known)


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
    for key_id in present:  # nobody has its secret any more
        admin.iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    key = admin.iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(key["AccessKeyId"], key["SecretAccessKey"])
