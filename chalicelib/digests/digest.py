"""Digests: signed lists of the objects that were written, each with the hash of the digest before it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant, parse_instant
from chalicelib.digests.notifications import is_size

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
