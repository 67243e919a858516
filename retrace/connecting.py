"""Connections to the API, made as boto3 does: through a proxy of the environment, trusting AWS_CA_BUNDLE."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from retrace.local_stack import is_on_this_machine
from retrace.problem import Exit, Problem


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: its URL without credentials, which are in the headers."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def proxy_for(url: str) -> Proxy | None:
    """The proxy of the environment for a URL; None if NO_PROXY names its host, or it is on this machine.

    Raises Problem if it is not an HTTP proxy.
    """
    parts = urlsplit(url)
    if is_on_this_machine(url) or proxy_bypass(parts.netloc):
        return None
    named = getproxies().get(parts.scheme)
    return _proxy(named, f"{parts.scheme}_proxy") if named else None


def _proxy(named: str, variable: str) -> Proxy:
    """Without a scheme it is HTTP, as for boto3 and curl."""
    try:
        proxy = urllib3.util.parse_url(named if "://" in named else f"http://{named.removeprefix('//')}")
    except urllib3.exceptions.LocationParseError:
        proxy = urllib3.util.Url()
    if proxy.host is None or proxy.scheme not in ("http", "https"):
        remedy = f"Set {variable} to a URL such as http://proxy.example:3128, or let NO_PROXY name the API's host."
        raise Problem(f"The proxy that {variable} names is not an HTTP proxy.", remedy, Exit.UNREACHABLE)
    return Proxy(f"{proxy.scheme}://{proxy.netloc}", _credentials(proxy.auth))


def _credentials(user_and_password: str | None) -> Mapping[str, str]:
    if user_and_password is None:
        return {}
    user, _, password = user_and_password.partition(":")
    basic = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return {"Proxy-Authorization": f"Basic {basic}"}


def pool(proxy: Proxy | None, **options: Any) -> urllib3.PoolManager:
    """Connections, through a proxy if there is one."""
    options["ca_certs"] = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    if proxy is None:
        return urllib3.PoolManager(**options)
    return urllib3.ProxyManager(proxy.url, proxy_headers=proxy.headers, **options)
