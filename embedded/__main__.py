"""The command line behind `make up`, `make down` and `make forget`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from embedded.connection import Stack
from embedded.layout import HOME, LOOPBACK, ON_THE_PATH, Layout, parse_port
from embedded.stack import Parameters, down, forget, up
from infra.command import Problem, exit_status, say_doing
from infra.destination_file import file_of
from retrace.commands.console import PORT

PARAMETERS = "RETRACE_PARAMETERS"
STACK_STAGE = "dev"


def main(arguments: Sequence[str], layout: Layout, environment: Mapping[str, str]) -> int:
    """Run one command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "forget"])
    command = parser.parse_args(arguments).command
    interrupted = "Interrupted. Run `make up` to continue, or `make down` to stop what runs."
    return exit_status(lambda: _run(command, layout, environment), interrupted)


def _run(command: str, layout: Layout, environment: Mapping[str, str]) -> None:
    match command:
        case "up":
            port = environment.get("RETRACE_PORT", "")
            parameters = _parameters(environment.get(PARAMETERS, ""))
            destinations = file_of(STACK_STAGE)
            stack = up(layout, parse_port(port) if port else None, say_doing, parameters, destinations=destinations)
            _tell_how_to_use(layout, stack)
        case "down":
            print("Stopped; its state is kept." if down(layout, say_doing) else "Nothing was up.")
        case "forget":
            forget(layout, say_doing)
            print("Stopped and forgotten.")


def _parameters(text: str) -> Parameters:
    """Read parameters of the template, as in "MaxInFlight=500 ConfirmAbove=1000"."""
    pairs = [word.partition("=") for word in text.split()]
    wrong = [name for name, equals, value in pairs if not (name and equals and value)]
    if wrong:
        raise Problem(f"{PARAMETERS} is {text!r}.", f"Write Name=value, as in {PARAMETERS}='MaxInFlight=500'")
    return {name: value for name, _, value in pairs}


def _tell_how_to_use(layout: Layout, stack: Stack) -> None:
    print(
        f"""
Retrace is up: {stack.api_url}
Names and keys: {layout.connection_file}

  {ON_THE_PATH}
  retrace ingest examples/shop-day/day.ndjson
  retrace events depot-lyon
  retrace console                       # http://{LOOPBACK}:{PORT}/ in a browser

  curl --aws-sigv4 "aws:amz:{stack.region}:execute-api" \\
       --user "{stack.access_key_id}:{stack.secret_access_key}" \\
       {stack.api_url}/health

make down stops it and keeps its state."""
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Layout(HOME), os.environ))
