"""The package holds all that the application needs: it is imported where only boto3 is installed, as in Lambda."""

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from embedded.bundle import packaged
from infra.command import silent
from infra.package import BUNDLE, TEMPLATE, package, size

IN_LAMBDA = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")

REQUIRED = {
    *("aws_lambda_powertools", "chalice", "jmespath"),
    *("annotated_types", "pydantic", "pydantic_core", "typing_extensions.py", "typing_inspection"),
    *("tzdata", "uuid6"),
}
"""Chalice's own part, what requirements.txt asks for, and what that needs; no command line, no tools, no tests."""

ZIPPED_MB, UNPACKED_MB = 4.9, 13.7
"""A little more than it takes now: 4.4 and 12.5. Lambda takes 250 MB, but each start of a function reads it anew."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("function")
    with zipfile.ZipFile(packaged(silent) / BUNDLE) as archive:
        archive.extractall(directory)
    return directory


@pytest.fixture(scope="module")
def lambda_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lambda")
    for name in IN_LAMBDA:
        (directory / name).symlink_to(Path(sysconfig.get_path("purelib"), name))
    return directory


def test_the_package_alone_can_be_imported(unpacked: Path, lambda_libraries: Path) -> None:
    # Every module, as the application imports most of them only when they are needed.
    program = f"""
import importlib, pkgutil, sys
sys.path += [{str(unpacked)!r}, {str(lambda_libraries)!r}]
import app, chalicelib
for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    importlib.import_module(module.name)
print(app.__file__)
"""
    # -I -S: neither the checkout nor what is installed in this environment can be found.
    finished = subprocess.run(  # noqa: S603  # our own interpreter, a program of our own
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False, env={}
    )

    assert finished.stderr == ""
    assert finished.stdout.strip() == str(unpacked / "app.py")


def test_the_package_holds_the_application_and_what_it_requires() -> None:
    with zipfile.ZipFile(packaged(silent) / BUNDLE) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}

    assert {name for name in names if not name.endswith((".dist-info", ".data"))} == {"app.py", "chalicelib", *REQUIRED}


def test_the_package_does_not_grow_unnoticed() -> None:
    bundle = packaged(silent) / BUNDLE
    with zipfile.ZipFile(bundle) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())

    assert bundle.stat().st_size < ZIPPED_MB * 1_000_000
    assert unpacked < UNPACKED_MB * 1_000_000


def test_its_size_is_told() -> None:
    assert re.fullmatch(r"bundle: \d\.\d MB zipped, \d+\.\d MB unpacked", size(packaged(silent) / BUNDLE))


def test_any_stage_can_be_packaged_and_nothing_of_another_is_in_it(tmp_path: Path) -> None:
    package(tmp_path, region="eu-west-1", stage="prod")

    template = (tmp_path / TEMPLATE).read_text()
    assert "stage=prod" in template
    assert "stage=dev" not in template
    assert "retrace-dev" not in template


def test_cloudformation_has_nothing_to_object_to_in_the_template() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    finished = subprocess.run(  # noqa: S603  # the linter of our own environment
        [linter, packaged(silent) / "sam.json"], capture_output=True, text=True, check=False
    )

    assert finished.stdout == ""
    assert finished.returncode == 0
