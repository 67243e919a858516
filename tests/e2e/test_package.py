"""The package holds all that the application needs: it is imported where only boto3 is installed, as in Lambda."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from embedded.bundle import packaged
from embedded.progress import silent

IN_LAMBDA = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("function")
    with zipfile.ZipFile(packaged(silent) / "deployment.zip") as archive:
        archive.extractall(directory)
    return directory


@pytest.fixture(scope="module")
def lambda_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lambda")
    for name in IN_LAMBDA:
        (directory / name).symlink_to(Path(sysconfig.get_path("purelib"), name))
    return directory


def test_the_package_alone_can_be_imported(unpacked: Path, lambda_libraries: Path) -> None:
    program = f"import sys; sys.path += [{str(unpacked)!r}, {str(lambda_libraries)!r}]; import app; print(app.__file__)"
    # -I -S: neither the checkout nor what is installed in this environment can be found.
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, env={}
    )

    assert finished.stderr == ""
    assert finished.stdout.strip() == str(unpacked / "app.py")


def test_the_package_holds_the_application_and_no_copy_of_what_lambda_has(unpacked: Path) -> None:
    names = {path.name for path in unpacked.iterdir()}

    assert {"app.py", "chalicelib", "pydantic", "aws_lambda_powertools"} <= names
    assert not {"boto3", "botocore", "embedded", "infra", "retrace", "rich", "tests", "typer", ".chalice"} & names


def test_cloudformation_has_nothing_to_object_to_in_the_template() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    finished = subprocess.run(  # noqa: S603  # the linter of our own environment
        [linter, packaged(silent) / "sam.json"], capture_output=True, text=True, check=False
    )

    assert finished.stdout == ""
    assert finished.returncode == 0
