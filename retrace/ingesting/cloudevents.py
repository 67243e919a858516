"""Which records are CloudEvents in the JSON format, and are sent as such."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core import lossless_json
from retrace.ingesting.record import Record

_TELLS = "specversion"
"""Every CloudEvent has this attribute, and no native event may have a member of this name."""


def with_form(record: Record) -> Record:
    """A record that knows whether it is a CloudEvent."""
    if record.fault is not None or _TELLS.encode() not in record.text or not _is_cloudevent(record.text):
        return record
    return replace(record, cloudevent=True)


def _is_cloudevent(text: bytes) -> bool:
    try:
        found = lossless_json.parse(text.decode())
    except (UnicodeDecodeError, lossless_json.JsonSyntaxError):
        return False
    # An array of CloudEvents has to be JSON as a whole; alone, what is nested too deep is refused alone.
    too_deep = any("nested" in fault.message for fault in found.faults)
    return isinstance(found.value, dict) and _TELLS in found.value and not too_deep
