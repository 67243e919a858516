"""Wires ingest. Its function imports nothing of replays."""

from __future__ import annotations

from chalicelib.ingest.use_cases import Ingest
from chalicelib.quarantine.s3 import S3Quarantine
from chalicelib.runtime import system
from chalicelib.runtime.event_wiring import event_index, identities, raw_bucket, raw_store, sources


def ingest() -> Ingest:
    """POST /ingest, and retries of rejections."""
    return Ingest(raw_store(), sources(), identities(), event_index(), quarantine(), system.now, system.concurrently)


def quarantine() -> S3Quarantine:
    """Where rejections are kept."""
    return S3Quarantine(raw_bucket(), system.concurrently)
