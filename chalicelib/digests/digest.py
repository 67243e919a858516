"""Digests: signed lists of the objects that S3 notified of, each with the hash of the digest before it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_plus

from chalicelib.core.errors import IntegrityFailure, InvalidRequest
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


ALGORITHM: Final = "ECDSA_SHA_256"
MAX_OBJECTS = 10_000
"""That one digest lists: some 4 MB. What is left is for the next."""


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """A version of an object, raw or refused. Without a hash it was gone already when its digest was made."""

    s3_key: str
    version_id: str
    size: int
    sha256: str | None
    written_at: Instant


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a digest.

    `drained` says that of what was written before its run began no notification was left, here or in other hands.
    """

    sequence: int
    start_time: Instant
    end_time: Instant
    previous_sha256: str | None
    bucket: str
    key_arn: str
    algorithm: str
    drained: bool
    objects: int


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that was read back. Whether its signature is good is for others to say."""

    head: Head
    objects: tuple[WrittenObject, ...]
    signature: bytes

    @property
    def signed_part(self) -> bytes:
        """What the signature is over."""
        return signed_part(self.head, self.objects)


@dataclass(frozen=True, slots=True)
class KeptDigest:
    """A digest as it is stored."""

    sequence: int
    content: bytes

    @property
    def sha256(self) -> str:
        """What the next digest names it by."""
        return sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Origin:
    """Of which bucket a digest is, and with which key it is signed."""

    bucket: str
    key_arn: str


def next_head(before: KeptDigest | None, now: Instant, origin: Origin, *, drained: bool, objects: int) -> Head:
    """The head of the digest after another: it begins where that ends, and names it by the hash of all its bytes."""
    return Head(
        sequence=1 if before is None else before.sequence + 1,
        start_time=now if before is None else _end_of(before, now),
        end_time=now,
        previous_sha256=None if before is None else before.sha256,
        bucket=origin.bucket,
        key_arn=origin.key_arn,
        algorithm=ALGORITHM,
        drained=drained,
        objects=objects,
    )


def _end_of(before: KeptDigest, now: Instant) -> Instant:
    """When a digest ended. If it was edited, that must neither prevent the next digest nor date it."""
    try:
        return min(parse_digest(before.content).head.end_time, now)
    except IntegrityFailure:
        return now


def signed_part(head: Head, objects: Sequence[WrittenObject]) -> bytes:
    """All lines but the last: the head, then the objects in the order of their keys and versions."""
    in_order = sorted(objects, key=lambda each: (each.s3_key, each.version_id))
    return _line(asdict(head)) + b"".join(_line(asdict(each)) for each in in_order)


def with_signature(part: bytes, signature: bytes, key_arn: str) -> bytes:
    """A whole digest. The last line says how the lines before it are signed."""
    return part + _line({"signature": b64encode(signature).decode(), "algorithm": ALGORITHM, "key_arn": key_arn})


def parse_digest(content: bytes) -> Digest:
    """Read a digest; raises IntegrityFailure unless every byte is as it would be written."""
    try:
        head, *objects, last = [json.loads(line) for line in content.splitlines()]
        digest = Digest(
            Head(**head), tuple(WrittenObject(**each) for each in objects), b64decode(last["signature"], validate=True)
        )
        parse_instant(digest.head.start_time)
        parse_instant(digest.head.end_time)
        whole = with_signature(digest.signed_part, digest.signature, digest.head.key_arn)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IntegrityFailure("It cannot be read.") from error
    counts = digest.head.objects == len(objects) and all(is_size(each.size) for each in digest.objects)
    if whole != content or not counts:
        raise IntegrityFailure("It is not as digests are written.")
    return digest


def _line(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
