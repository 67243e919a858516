"""What MiniStack's CloudFormation passes over in silence, applied afterwards, so that the stack is what infra/ says."""

from embedded.admin import Admin

TTL_ATTRIBUTE = "expires_at"


def close_gaps(admin: Admin, outputs: dict[str, str]) -> None:
    """Apply Object Lock to the raw bucket and time to live to the identity table."""
    admin.s3.put_object_lock_configuration(
        Bucket=outputs["RawBucket"], ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    table = outputs["DedupeTable"]
    described = admin.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if described["TimeToLiveStatus"] == "DISABLED":  # enabling it twice is an error
        admin.dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        )
