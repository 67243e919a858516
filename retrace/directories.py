"""Where the command's own files lie: by the XDG variables, or else in the home directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def own_directory(variable: str, in_home: str, environment: Mapping[str, str]) -> Path | None:
    """The directory of one kind of file; None if the user has no home directory, as in a container."""
    base = environment.get(variable)
    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home raises if there is none
    if not base and home == "~":
        return None
    return Path(base or os.path.join(home, in_home)) / "retrace"  # noqa: PTH118  # so that one line says both
