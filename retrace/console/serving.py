"""Serves the console on the loopback only, until Ctrl-C."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable
from datetime import datetime
from threading import Thread
from urllib.parse import urlsplit

import uvicorn

from retrace.client import Client
from retrace.console.admission import AccessPolicy
from retrace.console.application import application
from retrace.problem import Exit, Problem

LOOPBACK = "127.0.0.1"
CONNECTIONS = 6
"""A browser asks for six things at once; each more would want a function of its own."""
_SHUTDOWN_S = 1
_LISTENS_TO_CTRL_C_S = 1
"""On Windows, Ctrl-C does not interrupt waiting for a thread."""
_LOG = logging.getLogger("uvicorn.error")


class Console:
    """A console that listens, and can be asked for once `serve` is called."""

    def __init__(self, client: Client, port: int, clock: Callable[[], datetime]) -> None:
        self.client = client
        self._socket = _listening(port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(32)
        policy = AccessPolicy((f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"), self.token)
        config = uvicorn.Config(
            application(client, policy, clock),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._server = _Quiet(config)
        self._answering = Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.port}/"

    def link(self, view: str = "") -> str:
        """The address that lets a browser in. What stands behind `#` is sent to no server, and to no next page."""
        # A colleague's address is a view too.
        view = urlsplit(view)._replace(scheme="", netloc="", fragment="").geturl()
        return f"{self.url}{view.lstrip('/')}#token={self.token}"

    def serve(self) -> None:
        """Answer until Ctrl-C or `stop`. Then calls of the API get a moment to end."""
        _LOG.setLevel(logging.ERROR)
        self._answering.start()
        try:
            while self._answering.is_alive():
                self._answering.join(_LISTENS_TO_CTRL_C_S)
        finally:
            self.stop()
            self._answering.join(2 * _SHUTDOWN_S)

    def stop(self) -> None:
        """End what `serve` does in another thread."""
        self._server.should_exit = True


class _Quiet(uvicorn.Server):
    """A server that ends without a message, even if a browser still waits for an answer."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _LOG.setLevel(logging.CRITICAL + 1)
        await super().shutdown(sockets)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # on Windows it would let two processes listen on one port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        remedy = "Stop a console that is running, or use another port: retrace console --port 0"
        raise Problem(f"Port {port} of {LOOPBACK} cannot be opened: {error.strerror}.", remedy, Exit.USAGE) from error
    listening.listen(128)
    return listening
