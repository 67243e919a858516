"""`chalice local`, with its options, that refuses web pages: its routes ask for no signature."""

from functools import partial
from http import HTTPStatus
from pathlib import Path

from chalice.app import Chalice
from chalice.cli import local
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.local import ChaliceRequestHandler, LocalDevServer

from embedded.intruders import reason_to_refuse


class Guarded(ChaliceRequestHandler):
    """Refuses requests before Chalice routes them."""

    def parse_request(self) -> bool:
        """Read the head of a request; answers 403 and returns False if it is refused."""
        if not super().parse_request():
            return False
        why = reason_to_refuse(self.headers.items())
        if why is not None:
            self.send_error(HTTPStatus.FORBIDDEN, explain=why)
        return why is None


class GuardedFactory(CLIFactory):
    """Chalice's command line with that server."""

    def create_local_server(self, app_obj: Chalice, config: Config, host: str, port: int) -> LocalDevServer:
        """Make the server."""
        made = super().create_local_server(app_obj, config, host, port)
        made.server.RequestHandlerClass = partial(Guarded, app_object=made.app_object, config=config)
        return made


if __name__ == "__main__":
    local.main(obj={"factory": GuardedFactory(str(Path.cwd()))})
