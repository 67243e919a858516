"""Reads the stack that `make up` wrote down, if only you can have written it: your events and keys go there."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retrace.problem import Exit, Problem
from retrace.target import DESTINATIONS, DIGEST_KEY, QUEUES, STORAGE, Target

LOCAL_FILE = Path(".retrace/local.json")
USER: int | None = getattr(os, "geteuid", lambda: None)()
"""You; None on a platform that does not number its users."""

_NEEDED = ("api_url", "aws_endpoint_url", "region", "access_key_id", "secret_access_key")
_REMEDY = "Delete it and write it again with `make up`, or name another target with --url or --profile."

# No user, and no backslash, before which parsers of URLs disagree on what the host is.
_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?(?:/[\w.~%/-]*)?", re.ASCII)

_SAFELY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Follows no link, and does not wait for a pipe."""


def is_on_this_machine(url: str) -> bool:
    """Whether a URL leads to the loopback interface."""
    return _LOOPBACK.fullmatch(url) is not None


def local_stack(directory: Path, user: int | None = USER) -> Target | None:
    """The local stack of this directory or of one above it, up to the repository's root or the home directory.

    Raises Problem if its file cannot be trusted.
    """
    path = next((place / LOCAL_FILE for place in _places(directory) if os.path.lexists(place / LOCAL_FILE)), None)
    return None if path is None else _target(path, _trusted(path, _content(path, user)))


def _places(directory: Path) -> Iterator[Path]:
    home = Path(os.path.expanduser("~")).resolve()  # noqa: PTH111  # Path.home raises where there is none
    for place in (directory, *directory.parents):
        yield place
        if (place / ".git").exists() or place.resolve() == home:
            return


def _content(path: Path, user: int | None) -> Any:
    """What the file says, looked at through one descriptor, so that it cannot be exchanged in between."""
    try:
        _require_regular(path, path.lstat())
        with os.fdopen(os.open(path, _SAFELY), encoding="utf-8-sig") as file:
            status = os.fstat(file.fileno())
            _require_regular(path, status)
            _require_own(path, status, user)
            return json.load(file)
    except (OSError, ValueError) as error:
        raise _refused(f"{path} cannot be read: {error}") from error


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(f"{path} is not a regular file.")


def _require_own(path: Path, status: os.stat_result, user: int | None) -> None:
    if user not in {None, status.st_uid}:
        raise _refused(f"{path} belongs to another user (uid {status.st_uid}).")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _refused(f"{path} can be changed by other users (mode {stat.S_IMODE(status.st_mode):04o}).")


def _trusted(path: Path, stack: Any) -> dict[str, str]:
    if not isinstance(stack, dict):
        raise _refused(f"{path} cannot be read: it is not a JSON object.")
    for name in {*_NEEDED, *stack}:
        value = stack.get(name)
        if not isinstance(value, str) or (name in _NEEDED and not value):
            raise _refused(f"{path} has no text for {name}.")
        if name.endswith("_url") and not is_on_this_machine(value):
            raise _refused(f"{path} has an address that is not on this machine: {name} is {value!r}.")
    return stack


def _target(path: Path, stack: dict[str, str]) -> Target:
    return Target(
        url=stack["api_url"],
        found_in=str(path),
        region=stack["region"],
        access_key=(stack["access_key_id"], stack["secret_access_key"]),
        endpoint_url=stack["aws_endpoint_url"],
        storage={name: stack[name] for name in (*STORAGE, *QUEUES, DIGEST_KEY, DESTINATIONS) if stack.get(name)},
    )


def _refused(what: str) -> Problem:
    return Problem(what, _REMEDY, Exit.UNREACHABLE)
