"""infra/resources.yaml: what bucket, tables and queues promise by themselves, whoever calls them."""

from typing import Any

import pytest

from chalicelib.aws import keys, replay_keys
from chalicelib.replays import events_file
from infra.merge import RESOURCES, load

OWN_KEY, NOTHING = "EncryptsWithOwnKey", {"Ref": "AWS::NoValue"}


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """All resources of a type."""
    return {name: each for name, each in load(RESOURCES)["Resources"].items() if each["Type"] == kind}


TABLES = sorted(resources("AWS::DynamoDB::Table"))
QUEUES = sorted(resources("AWS::SQS::Queue"))


@pytest.fixture
def bucket() -> dict[str, Any]:
    [found] = resources("AWS::S3::Bucket").values()
    properties: dict[str, Any] = found["Properties"]
    return properties


@pytest.fixture
def bucket_policy() -> dict[str, dict[str, Any]]:
    """The statements of the bucket policy, by their names."""
    [found] = resources("AWS::S3::BucketPolicy").values()
    statements = [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for statement in found["Properties"]["PolicyDocument"]["Statement"]
    ]
    return {statement["Sid"]: statement for statement in statements}


def test_the_bucket_keeps_every_version_locked_for_as_long_as_a_parameter_says(bucket: dict[str, Any]) -> None:
    lock = bucket["ObjectLockConfiguration"]

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["ObjectLockEnabled"] is True
    assert lock["ObjectLockEnabled"] == "Enabled"
    assert lock["Rule"] == {
        "Fn::If": [
            "RetainsRaw",
            {"DefaultRetention": {"Mode": {"Ref": "RawRetentionMode"}, "Days": {"Ref": "RawRetentionDays"}}},
            NOTHING,
        ]
    }


def test_no_event_in_the_bucket_ever_expires_only_parts_of_uploads_and_files_of_events(bucket: dict[str, Any]) -> None:
    files, parts = bucket["LifecycleConfiguration"]["Rules"]

    assert parts.keys() == {"Id", "Status", "AbortIncompleteMultipartUpload"}
    assert files["Prefix"] == replay_keys.events_file("", "").partition("/")[0] + "/"
    assert files["ExpirationInDays"] == events_file.KEPT_DAYS
    assert not any(prefix.startswith(files["Prefix"]) for prefix in (*keys.LISTED, keys.DIGESTS))


def test_the_bucket_is_encrypted_by_s3_or_with_a_key_of_ones_own(bucket: dict[str, Any]) -> None:
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": {"Fn::If": [OWN_KEY, "aws:kms", "AES256"]},
        "KMSMasterKeyID": {"Fn::If": [OWN_KEY, {"Ref": "KmsKeyArn"}, NOTHING]},
    }


def test_no_other_principal_has_access_to_the_bucket(
    bucket: dict[str, Any], bucket_policy: dict[str, dict[str, Any]]
) -> None:
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert {statement["Effect"] for statement in bucket_policy.values()} == {"Deny"}


def test_the_bucket_denies_everybody_to_delete_to_overwrite_and_to_come_without_tls(
    bucket_policy: dict[str, dict[str, Any]],
) -> None:
    objects = {"Fn::Sub": "${RawBucket.Arn}/*"}

    def denied(sid: str) -> tuple[Any, ...]:
        statement = bucket_policy[sid]
        return statement["Principal"], statement["Action"], statement["Resource"], statement.get("Condition")

    assert bucket_policy.keys() == {"NothingIsDeleted", "NothingIsOverwritten", "ProtectionIsDeployed", "TlsOnly"}
    assert denied("NothingIsDeleted") == ("*", "s3:DeleteObject*", objects, None)
    assert denied("NothingIsOverwritten") == (
        "*",
        "s3:PutObject",
        objects,
        {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
    )
    assert denied("TlsOnly") == (
        "*",
        "s3:*",
        [{"Fn::GetAtt": ["RawBucket", "Arn"]}, objects],
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_only_cloudformation_may_undo_the_protection(
    bucket_policy: dict[str, dict[str, Any]],
) -> None:
    statement = bucket_policy["ProtectionIsDeployed"]

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Resource"] == {"Fn::GetAtt": ["RawBucket", "Arn"]}
    assert set(statement["Action"]) == {
        "s3:DeleteBucketPolicy",
        "s3:PutBucketNotification",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketVersioning",
        "s3:PutLifecycleConfiguration",
    }
    assert statement["Condition"] == {"ForAllValues:StringNotEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}


def test_what_is_kept_is_kept_for_a_year_unless_a_stage_says_otherwise() -> None:
    parameters = load(RESOURCES)["Parameters"]

    assert (parameters["RawRetentionDays"]["Default"], parameters["RawRetentionMode"]["Default"]) == (365, "GOVERNANCE")


def test_the_key_of_digests_signs_only_for_roles_of_its_stage_and_stays_manageable() -> None:
    [key] = resources("AWS::KMS::Key").values()
    managed, signing = key["Properties"]["KeyPolicy"]["Statement"]
    account = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

    assert (managed["Principal"], signing["Principal"]) == (account, account)
    assert {"kms:PutKeyPolicy", "kms:GetPublicKey", "kms:ScheduleKeyDeletion"} <= set(managed["Action"])
    assert not {"kms:*", "kms:Sign", "kms:CreateGrant"} & set(managed["Action"])
    assert signing["Action"] == "kms:Sign"
    assert signing["Condition"] == {
        "StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"},
        "ArnLike": {
            "aws:PrincipalArn": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/retrace-${Stage}-*"}
        },
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_table_can_be_put_back_to_any_second_and_is_not_deleted_by_mistake(name: str) -> None:
    table = resources("AWS::DynamoDB::Table")[name]["Properties"]

    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_encrypted_by_dynamodb_or_with_a_key_of_ones_own(name: str) -> None:
    with_key = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "KmsKeyArn"}}

    # SSEEnabled false is the key that DynamoDB owns; tables that are not encrypted there are none.
    assert resources("AWS::DynamoDB::Table")[name]["Properties"]["SSESpecification"] == {
        "Fn::If": [OWN_KEY, with_key, {"SSEEnabled": False}]
    }


@pytest.mark.parametrize("name", sorted({*QUEUES} - {"DigestQueue"}))
def test_a_queue_is_encrypted_by_sqs_or_with_a_key_of_ones_own(name: str) -> None:
    queue = resources("AWS::SQS::Queue")[name]["Properties"]

    assert queue["SqsManagedSseEnabled"] == {"Fn::If": [OWN_KEY, NOTHING, True]}
    assert queue["KmsMasterKeyId"] == {"Fn::If": [OWN_KEY, {"Ref": "KmsKeyArn"}, NOTHING]}


def test_notifications_are_encrypted_by_sqs_and_only_s3_of_the_account_sends_them() -> None:
    policy = resources("AWS::SQS::QueuePolicy")["DigestQueuePolicy"]["Properties"]["PolicyDocument"]
    sends, denied = policy["Statement"]

    assert resources("AWS::SQS::Queue")["DigestQueue"]["Properties"]["SqsManagedSseEnabled"] is True
    assert (sends["Effect"], sends["Principal"], sends["Action"]) == (
        "Allow",
        {"Service": "s3.amazonaws.com"},
        "sqs:SendMessage",
    )
    assert sends["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert denied["Fn::If"][0] == "RefusesPlainHttp"
    assert denied["Fn::If"][1]["Effect"] == "Deny"


def test_s3_notifies_of_what_digests_list_and_nothing_else(bucket: dict[str, Any]) -> None:
    told = bucket["NotificationConfiguration"]["Fn::If"][1]["QueueConfigurations"]

    assert told == [
        {
            "Event": "s3:ObjectCreated:*",
            "Queue": {"Fn::GetAtt": ["DigestQueue", "Arn"]},
            "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": prefix}]}},
        }
        for prefix in keys.LISTED
    ]


def test_the_key_of_digests_outlives_the_stack() -> None:
    [key] = resources("AWS::KMS::Key").values()

    assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"
    assert key["Properties"]["KeySpec"] == "ECC_NIST_P256"


@pytest.mark.parametrize("name", sorted({*QUEUES} - {"DigestQueue"}))
def test_the_policy_of_a_queue_denies_all_without_tls_and_allows_no_access(name: str) -> None:
    policy = resources("AWS::SQS::QueuePolicy")[f"{name}Policy"]

    assert policy["Condition"] == "RefusesPlainHttp"
    assert policy["Properties"]["Queues"] == [{"Ref": name}]
    assert policy["Properties"]["PolicyDocument"]["Statement"] == [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": {"Fn::GetAtt": [name, "Arn"]},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
