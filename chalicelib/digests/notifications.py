"""Reads S3's notifications of objects that were written.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.timestamps import Instant, parse_instant

MAX_SIZE = 2**53 - 1
"""Of an object, in bytes: what every reader of JSON reads exactly (RFC 8259, section 6). S3 allows far less."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A version of an object that was written."""

    s3_key: str
    version_id: str
    size: int
    written_at: Instant


def parse_notification(body: str, bucket: str) -> list[Notice]:
    """The versions of a bucket's objects that a message names. Raises InvalidRequest if it is not a notification.

    None where it is of another bucket, or the test message that S3 sends when notifications are configured.
    """
    try:
        said = json.loads(body)
        if said.get("Event") == "s3:TestEvent":
            return []
        return [_notice(record) for record in said["Records"] if record["s3"]["bucket"]["name"] == bucket]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidRequest("The message is not a notification of S3.") from error


def _notice(record: Any) -> Notice:
    """One record of a message; raises ValueError where a digest could not say it, as then none would be written."""
    told = record["s3"]["object"]
    notice = Notice(unquote_plus(told["key"]), told["versionId"], told["size"], parse_instant(record["eventTime"]))
    is_sayable = all(_is_text(text) for text in (notice.s3_key, notice.version_id)) and is_size(notice.size)
    if not is_sayable:
        raise ValueError("says what is true of no object")
    return notice


def _is_text(said: object) -> bool:
    """Whether this can be a key or a version: text that has bytes, which half of a surrogate pair has not."""
    try:
        return isinstance(said, str) and bool(said.encode())
    except UnicodeEncodeError:
        return False


def is_size(said: object) -> bool:
    """Whether this can be the size of an object."""
    return type(said) is int and 0 <= said <= MAX_SIZE
