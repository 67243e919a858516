"""Finds the deployment that a command uses: by an option, the environment, a profile, or the local stack."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from retrace.local_stack import is_on_this_machine, local_stack
from retrace.problem import Exit, Problem
from retrace.target import NAMED, Target


def own_directory(variable: str, in_home: str, environment: Mapping[str, str]) -> Path | None:
    """The directory of one kind of file; None if the user has no home directory, as in a container."""
    base = environment.get(variable)
    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home raises if there is none
    if not base and home == "~":
        return None
    return Path(base or os.path.join(home, in_home)) / "retrace"  # noqa: PTH118  # so that one line says both


SETTINGS = ("url", "region", "aws_profile", "endpoint_url", "stack", *NAMED)
"""What a profile may say."""

_NO_HOME = Path("/no-home-directory/.config/retrace")
_NOWHERE = "Give --url, set RETRACE_URL, write a profile into {config}, or run `make up` for a local stack."


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the options of the command line say of the target."""

    url: str | None = None
    profile: str | None = None
    region: str | None = None
    stack: str | None = None


def find_target(chosen: Chosen, environment: Mapping[str, str], directory: Path) -> Target:
    """The target: --url, --profile, RETRACE_URL, RETRACE_PROFILE, the profile `default`, or the local stack.

    The first of these that is given counts. Raises Problem, which says what to do, if none is.
    """
    if chosen.url and chosen.profile:
        raise Problem("--url and --profile each name a target.", "Give one of them.", Exit.USAGE)
    found = _found(chosen, environment, directory)
    return replace(found, region=chosen.region or found.region, stack=chosen.stack or found.stack)


def _found(chosen: Chosen, environment: Mapping[str, str], directory: Path) -> Target:
    config = config_file(environment)
    if chosen.url:
        return target_at(chosen.url, "--url", directory)
    if chosen.profile:
        return _of_profile(config, chosen.profile, "--profile")
    if url := environment.get("RETRACE_URL"):
        return target_at(url, "RETRACE_URL", directory)
    if name := environment.get("RETRACE_PROFILE"):
        return _of_profile(config, name, "RETRACE_PROFILE")
    if "default" in _profiles(config):
        return _of_profile(config, "default", "the default")
    local = local_stack(directory)
    if local is None:
        raise Problem("No deployment is chosen.", _NOWHERE.format(config=config), Exit.UNREACHABLE)
    return local


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where profiles are kept; without a home directory, a path that does not exist."""
    return (own_directory("XDG_CONFIG_HOME", ".config", environment) or _NO_HOME) / "config.toml"


def names_of_profiles(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The profiles there are; none where they cannot be read."""
    try:
        found = _profiles(config_file(environment))
    except Problem:
        return []
    return sorted(name for name, profile in found.items() if isinstance(profile, dict))


def _profiles(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Problem(f"{path} cannot be read: {error}", "Correct it, or give --url.", Exit.UNREACHABLE) from error


def _of_profile(config: Path, name: str, named_by: str) -> Target:
    profiles = _profiles(config)
    profile = profiles.get(name)
    if not isinstance(profile, dict) or "url" not in profile:
        known = ", ".join(sorted(profiles)) or "none"
        remedy = f"Profiles in {config}: {known}. Each needs at least `url`."
        raise Problem(f"There is no profile {name} with a url.", remedy, Exit.UNREACHABLE)
    for key, value in profile.items():
        if key not in SETTINGS or not isinstance(value, str):
            remedy = f"It may have these, all of them text: {', '.join(SETTINGS)}."
            raise Problem(f"The profile {name} in {config} has a wrong {key}.", remedy, Exit.UNREACHABLE)
    return Target(
        url=_checked(profile["url"], f"The profile {name} in {config}"),
        found_in=f"profile {name} of {config}, by {named_by}",
        region=profile.get("region"),
        aws_profile=profile.get("aws_profile"),
        endpoint_url=profile.get("endpoint_url"),
        stack=profile.get("stack"),
        storage={key: profile[key] for key in NAMED if key in profile},
    )


def target_at(url: str, where: str, directory: Path) -> Target:
    """The target at a URL, given by `where`; at that of the local stack, the key of `make up` opens it."""
    checked = _checked(url, where)
    local = local_stack(directory) if is_on_this_machine(checked) else None
    if local is not None and local.url == checked:
        return replace(local, found_in=where)
    if where != "RETRACE_URL" or not is_on_this_machine(checked):
        return Target(checked, where)
    return Target(checked, where, left_over=_left_over(local), stack_here=None if local is None else local.url)


def _left_over(local: Target | None) -> str:
    if local is None:
        return "RETRACE_URL is left over from a local stack that is gone. Run: unset RETRACE_URL, then make up"
    return f"RETRACE_URL is not the stack of `make up` here, which is {local.url}. To use it, run: unset RETRACE_URL"


def _checked(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        remedy = "Set the API's URL with its stage, such as https://abc123.execute-api.eu-west-1.amazonaws.com/api"
        raise Problem(f"{where} has a url that is not valid for an API: {url}", remedy, Exit.USAGE)
    return url.rstrip("/")
