"""Raw objects in S3: written once under a name their bytes determine, never overwritten, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chalicelib.aws import keys
from chalicelib.aws.errors import code_of, translated
from chalicelib.aws.write_once import WriteOnceBucket
from chalicelib.core.errors import IntegrityFailure, RawObjectMissing, StorageRefused
from chalicelib.core.timestamps import Instant, day_of
from chalicelib.events.event import Event
from chalicelib.events.raw_objects import (
    MAX_HEAD_BYTES,
    MAX_RAW_OBJECT_BYTES,
    RawLocation,
    Receipt,
    StoredEvent,
    event_time_of,
    name_of,
    object_of,
    receipt_of,
    stored_events,
)

# Of an object that is not there S3 says so only to who may list the bucket; anybody else is told AccessDenied.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions"
_MISSING = "NoSuchKey"
_HIDDEN = "AccessDenied"
_TOO_SHORT = "InvalidRange"


@dataclass(frozen=True)
class S3RawStore:
    """The raw bucket."""

    objects: WriteOnceBucket

    @property
    def bucket(self) -> str:
        """The raw bucket's name."""
        return self.objects.bucket

    def key_of(self, events: Sequence[Event], ingest_time: Instant) -> str:
        """The key of the object that contains exactly these events, which share source and day."""
        event_day = day_of(event_time_of(events[0], ingest_time))
        return keys.raw_object(events[0].source, event_day, day_of(ingest_time), name_of(events))

    def put_once(self, events: Sequence[Event], receipt: Receipt) -> list[StoredEvent]:
        """Store events as one object. If an earlier attempt stored it, its receipt is used."""
        key = self.key_of(events, receipt.ingest_time)
        body = object_of(events, receipt)
        with translated("storing raw events"):
            if not self.objects.put_if_absent(key, body, "application/x-ndjson"):
                receipt = receipt_of(self._get(self.bucket, key, f"bytes=0-{MAX_HEAD_BYTES - 1}"))
        return stored_events(events, receipt, self.bucket, key)

    def read(self, location: RawLocation) -> bytes:
        """The bytes at a location; raises RawObjectMissing, or IntegrityFailure if the object has no such place."""
        last = location.offset + location.length - 1
        with translated("reading a raw event"):
            return self._get(location.bucket, location.key, f"bytes={location.offset}-{last}")

    def read_lines(self, bucket: str, key: str) -> list[bytes]:
        """Every line of a raw object; raises RawObjectMissing, or IntegrityFailure if it is larger than any."""
        with translated("reading a raw object"):
            content = self._get(bucket, key, f"bytes=0-{MAX_RAW_OBJECT_BYTES}")
        if len(content) > MAX_RAW_OBJECT_BYTES:
            raise IntegrityFailure(f"The raw object {key} is larger than any that Retrace writes.")
        return content.rstrip(b"\n").split(b"\n")

    def _get(self, bucket: str, key: str, byte_range: str) -> bytes:
        try:
            return self.objects.s3.get_object(Bucket=bucket, Key=key, Range=byte_range)["Body"].read()
        except ClientError as error:
            match code_of(error):
                case code if code == _MISSING:
                    raise RawObjectMissing(f"The raw object {key} is missing.") from error
                case code if code == _TOO_SHORT:
                    raise IntegrityFailure(f"The raw object {key} ends before {byte_range}.") from error
                case code if code == _HIDDEN:
                    why = "it is missing, or the function may not read it, or not list the bucket"
                    raise StorageRefused(f"AWS did not show the raw object {key} (AccessDenied): {why}.") from error
            raise
