"""`python -m infra.deploy` for an emulator at AWS_ENDPOINT_URL: the same in all but the template, which is adapted.

    python -m embedded.deploy STAGE [Name=value ...]

What is packaged already is not packaged again; the tag that names Chalice's stage says dev for all stages.
"""

import shutil
import sys
from pathlib import Path

from embedded.adaptation import adapted
from embedded.bundle import packaged
from infra import deploy
from infra.command import silent
from infra.package import Application


def cached(target: Path, *, region: str, stage: str) -> None:  # noqa: ARG001  # one is for all of them
    """Take the package of the checkout as it is now."""
    shutil.copytree(packaged(silent), target, dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(deploy.main(sys.argv[1:], application=Application(cached, adapted)))
