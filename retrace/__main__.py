"""Starts the command line: Ctrl-C ends it quietly, also while its modules are imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from retrace.command_line import main as run  # noqa: PLC0415  # it takes a while
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
