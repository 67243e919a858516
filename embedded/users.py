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
    _ensure_user(admin, LOCAL_USER)
    for policy in ("ProducerPolicyArn", "InvestigatorPolicyArn", "AuditorPolicyArn", "ConsumerPolicyArn"):
        admin.iam.attach_user_policy(UserName=LOCAL_USER, PolicyArn=outputs[policy])
    _grant(admin, LOCAL_USER, "look", looking_policy())
    return _ensure_key(admin, LOCAL_USER, known)


def functions_user(admin: Admin, policies: Mapping[str, dict[str, Any]]) -> AccessKey:
    """Return a key with the rights of all functions together, for code of theirs that runs outside of Lambda."""
    _ensure_user(admin, FUNCTIONS_USER)
    for name, policy in policies.items():
        _grant(admin, FUNCTIONS_USER, name, policy)
    return _ensure_key(admin, FUNCTIONS_USER, None)


def user_with_policies(admin: Admin, name: str, policy_arns: Iterable[str]) -> AccessKey:
    """Return a key of a user who has these managed policies and no other right."""
    _ensure_user(admin, name)
    for arn in policy_arns:
        admin.iam.attach_user_policy(UserName=name, PolicyArn=arn)
    return _ensure_key(admin, name, None)


def user_with_role(admin: Admin, name: str, role: str) -> AccessKey:
    """Return a key of a user who has the policies of a role and no other right.

    The role itself is Lambda's: its trust policy lets nobody else assume it.
    """
    _ensure_user(admin, name)
    for policy in admin.iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document: Any = admin.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        _grant(admin, name, policy, document)
    attached = admin.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return user_with_policies(admin, name, [policy["PolicyArn"] for policy in attached])


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


def _ensure_user(admin: Admin, name: str) -> None:
    if name not in {user["UserName"] for user in admin.iam.list_users()["Users"]}:
        admin.iam.create_user(UserName=name)


def _grant(admin: Admin, user: str, name: str, policy: dict[str, Any]) -> None:
    admin.iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=json.dumps(policy))


def _ensure_key(admin: Admin, user: str, known: AccessKey | None) -> AccessKey:
    present = [key["AccessKeyId"] for key in admin.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]]
    if known is not None and known.access_key_id in present:
        return known
    for key_id in present:  # nobody has its secret any more
        admin.iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    key = admin.iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(key["AccessKeyId"], key["SecretAccessKey"])
