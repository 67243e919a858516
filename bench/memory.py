"""The most memory that the processes of deployed functions have had, as Linux says."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from embedded.admin import Admin

PROCESSES = Path("/proc")


def most_mb(admin: Admin, name: str) -> float:
    """The most of any process of the functions whose name holds this, in MB of a million bytes."""
    found = [each["FunctionName"] for each in admin.functions.list_functions()["Functions"]]
    functions = [function.encode() for function in found if name in function]
    return max((peak / 1_000 for peak in _peaks_kb(functions)), default=0.0) * 1.024


def _peaks_kb(functions: list[bytes]) -> list[int]:
    peaks = []
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it may have ended by now
            if any(function in (process / "cmdline").read_bytes() for function in functions):
                status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                peaks.append(int(status["VmHWM"].split()[0]))
    return peaks
