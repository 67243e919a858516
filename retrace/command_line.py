"""The command line: its commands, the options that name the deployment, and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from chalicelib.core.version import VERSION
from retrace.command_registry import Commands
from retrace.output import printable
from retrace.problem import Exit, Problem

HELP = """Investigate, replay and account for events.

The deployment is the first of these that is given: --url, --profile, RETRACE_URL, RETRACE_PROFILE, the profile
`default` in ~/.config/retrace/config.toml, the local stack of `make up`. Requests are signed with the usual AWS
credentials. Run `retrace doctor` to check a deployment.
"""

EXIT_CODES = """Exit codes: 0 done; 1 done, but differences were found or events rejected; 2 wrong usage, or a file
that cannot be read or written; 3 no target, no credentials or no answer; 4 refused; 5 not found; 70 a defect of
the command; 130 interrupted; 141 the reader of the output is gone.
"""

app = typer.Typer(
    name="retrace",
    cls=Commands,
    help=HELP,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"retrace {VERSION}")
        raise typer.Exit


@app.callback()
def _of_all(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Each command takes the other options itself."""


def main() -> None:
    """Run the command line, and exit as it ended."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # On Windows, a pipe would have the encoding of its code page, and other line ends.
            encoding = "utf-8" if os.name == "nt" else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace", newline="\n")
    sys.exit(run())


def _open_what_is_closed() -> None:
    """Read nothing from, and write nothing to, streams that the caller has closed (`>&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # until the command ends


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; answers the exit code."""
    try:
        app(arguments)
    except SystemExit as ended:
        # The libraries below exit with 1 if the reader is gone, which here means something else.
        cut_off = isinstance(ended.__context__, BrokenPipeError)
        return Exit.CUT_OFF if cut_off else int(ended.code or Exit.DONE)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever it is must not end as 1, which scripts take for an answer
        return complain(_problem_of(error))
    return Exit.DONE


def _problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case ClientError():
            return Problem(f"AWS refused: {error}", "Run `retrace doctor` to see whose credentials these are.")
        case BotoCoreError():
            return Problem(f"AWS: {error}", "Run `retrace doctor` to find out why.", Exit.UNREACHABLE)
        case UnicodeEncodeError(object=str(text), start=start, reason="surrogates not allowed"):
            word = ascii(os.fsencode(text[max(0, start - 20) : start + 20]))[2:-1]
            return Problem(f"This is not UTF-8: {word}", "Only names of files may be in another encoding.", Exit.USAGE)
        case OSError(strerror=str(why)):
            what = "What is shown" if error.filename is None else error.filename
            return Problem(
                f"{what} cannot be read or written: {why}.",
                "Check the path, its permissions, and free space.",
                Exit.USAGE,
            )
    traceback.print_exception(error)
    return Problem(f"A fault of retrace itself: {error!r}", "Report it, with the output above.", Exit.BROKEN)


def complain(problem: Problem) -> Exit:
    """Say what is wrong and what to do about it; answers the exit code."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(Text(printable(problem.what), style="red"))
    if problem.remedy:
        console.print(Text(f"→ {printable(problem.remedy)}"))
    return problem.exit_code
