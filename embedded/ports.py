"""TCP ports on the loopback interface."""

import re
import socket

from infra.command import Problem

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 4610
HIGHEST_PORT = 65535


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def require_free(port: int, setting: str = "RETRACE_PORT") -> None:
    """Raise Problem if something listens on the port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as exc:
            raise Problem(
                f"Port {port} may not be opened by this user.", f"Choose one above 1023, for example {setting}=4610."
            ) from exc
        except OSError as exc:
            raise Problem(
                f"Port {port} is in use by another program.",
                f"End that one, or choose a free port: {setting}={port + 1}",
            ) from exc


def parse_port(text: str, setting: str = "RETRACE_PORT") -> int:
    """Read a port number as a user wrote it in a setting."""
    if re.fullmatch(r"\d{1,5}", text, re.ASCII) and 0 < int(text) <= HIGHEST_PORT:
        return int(text)
    raise Problem(f"{setting} is {text!r}, which is no port number.", f"Give a number from 1024 to {HIGHEST_PORT}.")
