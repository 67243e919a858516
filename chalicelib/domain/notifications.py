"""What S3 tells of objects that were written.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import unquote_plus

from chalicelib.domain.errors import InvalidRequest
from chalicelib.domain.timestamps import Instant, parse_instant


@dataclass(frozen=True, slots=True)
class Notice:
    """A version of an object that was written."""

    s3_key: str
    version_id: str
    size: int
    written_at: Instant


def parse_notification(body: str, bucket: str) -> list[Notice]:
    """The versions of a bucket's objects that a message tells of; raises InvalidRequest if it is no notification.

    None where it is of another bucket, or the test message that S3 sends when notifications are configured.
    """
    try:
        said = json.loads(body)
        if said.get("Event") == "s3:TestEvent":
            return []
        records = [record for record in said["Records"] if record["s3"]["bucket"]["name"] == bucket]
        return [
            Notice(
                unquote_plus(record["s3"]["object"]["key"]),
                str(record["s3"]["object"]["versionId"]),
                int(record["s3"]["object"]["size"]),
                parse_instant(record["eventTime"]),
            )
            for record in records
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest("The message is no notification of S3.") from error
