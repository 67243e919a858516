"""What nobody may do to stored data, done as root on an emulator, and what an administrator does about it."""

from collections.abc import Iterator
from typing import Any

from embedded.admin import Admin
from embedded.connection import Stack

Row = dict[str, Any]


class Disaster:
    """Tables and raw objects of one stack, lost and brought back."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._admin = Admin.of(stack)

    def rows(self, table: str) -> list[Row]:
        """Return every row of a table."""
        pages = self._admin.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]

    def tables(self) -> tuple[str, str, str]:
        """Return the tables that can be made again: index, identities and aggregates."""
        return self._stack.events_table, self._stack.dedupe_table, self._stack.aggregates_table

    def lose_tables(self) -> None:
        """Delete those tables with all that is in them, and create them empty, as CloudFormation would."""
        for table in self.tables():
            self._recreate(table)

    def _recreate(self, table: str) -> None:
        dynamodb = self._admin.dynamodb
        described: Any = dynamodb.describe_table(TableName=table)["Table"]
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
        indexes = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
            for index in described.get("GlobalSecondaryIndexes", [])
        ]
        shape = {name: described[name] for name in ("AttributeDefinitions", "KeySchema")}
        more: Any = {"GlobalSecondaryIndexes": indexes} if indexes else {}
        dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **shape, **more)

    def delete(self, key: str) -> None:
        """Put a delete marker over a raw object."""
        self._admin.s3.delete_object(Bucket=self._stack.raw_bucket, Key=key)

    def change(self, row: Row) -> None:
        """Put another version over a raw object, with one bit changed in the event of an index row."""
        place = {"Bucket": self._stack.raw_bucket, "Key": row["s3_key"]["S"]}
        content = self._admin.s3.get_object(**place)["Body"].read()
        at = content.index(b'"event":', int(row["s3_offset"]["N"])) + 30
        self._admin.s3.put_object(**place, Body=content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])

    def restore(self, key: str) -> str:
        """Copy the first version of an object over whatever lies above it; return that version's id."""
        bucket, s3 = self._stack.raw_bucket, self._admin.s3
        *_, oldest = self._versions(key)  # S3 lists the newest first
        first: str = oldest["VersionId"]
        s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key, "VersionId": first})
        return first

    def _versions(self, key: str) -> Iterator[Any]:
        pages = self._admin.s3.get_paginator("list_object_versions").paginate(Bucket=self._stack.raw_bucket, Prefix=key)
        return (version for page in pages for version in page.get("Versions", []) if version["Key"] == key)
