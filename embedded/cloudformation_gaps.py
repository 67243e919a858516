"""What MiniStack's CloudFormation passes over in silence, applied afterwards, so that the stack is what infra/ says."""

from typing import TYPE_CHECKING, Literal

from embedded.admin import Admin

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectLockConfigurationTypeDef

Mode = Literal["COMPLIANCE", "GOVERNANCE"]

TTL_ATTRIBUTE = "expires_at"
EXPIRING = ("DedupeTable", "ReplaysTable")
TABLES = ("EventsTable", "DedupeTable", "ReplaysTable", "AggregatesTable")


def close_gaps(admin: Admin, outputs: dict[str, str]) -> None:
    """Apply Object Lock to the raw bucket, time to live to the tables with rows that expire, and recovery to all.

    What else it passes over changes nothing there: lifecycle rules, encryption, the stage's access logs.
    """
    _lock(admin, outputs["RawBucket"], _parameters(admin, outputs))
    for name in EXPIRING:
        _let_expire(admin, outputs[name])
    for name in TABLES:
        admin.dynamodb.update_continuous_backups(
            TableName=outputs[name], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def _parameters(admin: Admin, outputs: dict[str, str]) -> dict[str, str]:
    """The parameters of the stack, which is called as its service is."""
    [stack] = admin.cloudformation.describe_stacks(StackName=outputs["PowertoolsServiceName"])["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}


def _lock(admin: Admin, bucket: str, parameters: dict[str, str]) -> None:
    lock: ObjectLockConfigurationTypeDef = {"ObjectLockEnabled": "Enabled"}
    if days := int(parameters["RawRetentionDays"]):
        mode: Mode = "COMPLIANCE" if parameters["RawRetentionMode"] == "COMPLIANCE" else "GOVERNANCE"
        lock["Rule"] = {"DefaultRetention": {"Mode": mode, "Days": days}}
    admin.s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)


def _let_expire(admin: Admin, table: str) -> None:
    described = admin.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if described["TimeToLiveStatus"] == "DISABLED":  # enabling it twice is an error
        admin.dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        )
