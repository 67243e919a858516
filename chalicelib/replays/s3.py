"""Stores files of events in S3, in a part of the raw bucket where objects expire. Clients upload them themselves."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.aws import replay_keys
from chalicelib.aws.errors import code_of, translated
from chalicelib.core.errors import IntegrityFailure
from chalicelib.core.timestamps import Instant, shifted
from chalicelib.replays.events_file import EventsFile, Upload, months_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOAD_S = 900
"""For 65 MB on a slow line. The URL can upload this one file and nothing else."""

_CHANGED = frozenset({"PreconditionFailed", "412", "InvalidRange", "NoSuchKey"})


@dataclass(frozen=True)
class S3EventsFiles:
    """The part of the raw bucket that has files of events."""

    s3: S3Client
    bucket: str

    def find(self, sha256: str, at: Instant, months: int) -> EventsFile | None:
        """The file of this name that was uploaded in one of the months up to an instant; None if there is none.

        S3 says that a key is missing only to who may list it, and a HEAD has no prefix that the right names: so list.
        """
        with translated("looking for a file of events"):
            for month in months_of(at, months):
                key = replay_keys.events_file(month, sha256)
                for found in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1).get("Contents", ()):
                    return EventsFile(sha256, key, found["Size"], found["ETag"])
        return None

    def upload(self, sha256: str, size: int, at: Instant) -> Upload:
        """A request for one PUT of this key, these bytes and this content, and only while the key is free.

        S3 compares the body with the checksum, which is signed, and refuses any other:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
        A POST policy bounds the size of a body, but not its content.
        """
        checksum = b64encode(bytes.fromhex(sha256)).decode()
        url = self.s3.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self.bucket,
                "Key": replay_keys.events_file(months_of(at)[0], sha256),
                "ContentLength": size,
                "ContentType": "text/plain",
                "ChecksumAlgorithm": "SHA256",
                "ChecksumSHA256": checksum,
                "IfNoneMatch": "*",
            },
            ExpiresIn=UPLOAD_S,
        )
        headers = {
            "Content-Length": str(size),
            "Content-Type": "text/plain",
            "If-None-Match": "*",
            "x-amz-checksum-sha256": checksum,
            "x-amz-sdk-checksum-algorithm": "SHA256",
        }
        return Upload("PUT", url, headers, shifted(at, UPLOAD_S * 1_000_000_000))

    def read(self, file: EventsFile, offset: int, length: int) -> bytes:
        """Bytes of a file; raises IntegrityFailure if it is not there any more as it was found."""
        place = f"bytes={offset}-{offset + length - 1}"
        with translated("reading a file of events"):
            try:
                found = self.s3.get_object(Bucket=self.bucket, Key=file.key, IfMatch=file.tag, Range=place)
                return found["Body"].read()
            except ClientError as error:
                if code_of(error) in _CHANGED:
                    raise IntegrityFailure(f"The events file {file.sha256} was replaced, cut or deleted.") from error
                raise
