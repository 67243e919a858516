"""The wheel contains the command line, what it imports and the page, and adds nothing else to an environment."""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

from chalicelib.core.version import VERSION
from release.__main__ import built, sdist, wheel, wheel_of
from release.page_libraries import FILES
from retrace.command_registry import PLACES
from tests.installation import Installation, a_checkout, installed

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]
VENDOR = Path("retrace/console/static/vendor")
IMPORT = re.compile(r"^ *(?:from|import) (\w+)", re.MULTILINE)


def content(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `pip install .` makes it of a checkout in which nothing was fetched."""
    directory = tmp_path_factory.mktemp("bare")
    return wheel(a_checkout(directory / "sources"), directory)


@pytest.fixture(scope="module")
def base(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An environment with that wheel and what it requires without any extra."""
    return installed(bare, tmp_path_factory.mktemp("base"))


def test_an_installation_adds_one_importable_name_and_it_is_retrace(bare: Path) -> None:
    names = content(bare)

    assert {name.split("/")[0] for name in names} == {"retrace", f"retrace-{VERSION}.dist-info"}
    assert names[f"retrace-{VERSION}.dist-info/top_level.txt"] == b"retrace\n"


def test_no_module_of_the_wheel_names_chalicelib_and_each_can_be_imported(bare: Path, base: Installation) -> None:
    modules = {name: text.decode() for name, text in content(bare).items() if name.endswith(".py")}
    optional = ("retrace/console/", "retrace/exporting/parquet.py", "retrace/querying/", "retrace/__main__.py")
    dotted = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in modules
        if not name.startswith(optional)
    ]

    assert [name for name, text in modules.items() if re.search(r"\bchalicelib\b", text)] == []
    assert "retrace._chalicelib.events.raw_objects" in dotted
    base.said("python", "-c", f"import importlib\nfor name in {dotted}: importlib.import_module(name)")


def test_chalicelib_cannot_be_imported_where_retrace_is_installed(base: Installation) -> None:
    finished = base.run("python", "-c", "import retrace, chalicelib")

    assert finished.stderr.endswith("ModuleNotFoundError: No module named 'chalicelib'\n")


def test_the_wheel_contains_only_those_modules_of_the_application_that_the_command_line_imports(bare: Path) -> None:
    vendored = {name.removeprefix("retrace/_chalicelib/") for name in content(bare) if "/_chalicelib/" in name}

    assert {"runtime/settings.py", "events/raw_objects.py", "aws/dynamodb.py", "api/operations.py"} <= vendored
    assert not {"runtime/system.py", "runtime/wiring.py", "api/responses.py", "ingest/use_cases.py"} & vendored


def test_the_wheel_has_the_page_the_types_and_the_licence(bare: Path) -> None:
    names = set(content(bare))
    page = {path for path in (ROOT / "retrace/console/static").rglob("*") if path.is_file()}
    own = {str(path.relative_to(ROOT)) for path in page if "vendor" not in path.parts}
    licences = {f"retrace-{VERSION}.dist-info/licenses/{name}" for name in ("LICENSE", "NOTICE")}

    assert own | licences | {"retrace/py.typed"} <= names


def test_every_command_has_its_help_without_any_extra(base: Installation) -> None:
    assert base.said("retrace", "--version") == f"retrace {VERSION}\n"
    helps = (
        "import sys; from retrace.command_line import run; sys.exit(sum(run([*x.split(), '-h']) for x in sys.argv[1:]))"
    )
    said = base.said("python", "-c", helps, *PLACES)
    assert re.findall(r"^Usage: \S+ ([a-z -]+) \[OPTIONS\]", said, re.MULTILINE) == list(PLACES)


@pytest.mark.parametrize(
    ("extra", "package", "command"),
    [
        ("console", "uvicorn", ("console",)),
        ("parquet", "pyarrow", ("export", "some-entity", "--out", "some.parquet")),
        ("sql", "duckdb", ("sql", "SELECT 1")),
    ],
)
def test_a_command_that_needs_an_extra_names_it(
    base: Installation, extra: str, package: str, command: tuple[str, ...]
) -> None:
    finished = base.run("retrace", "--url", "http://127.0.0.1:1", "--region", "eu-central-1", *command)

    told = re.escape(f"The package {package} of the extra {extra} is not installed.\n→ Run: ")
    assert re.fullmatch(rf"{told}/\S+/python\S* -m pip install {package}\n", finished.stderr)
    assert finished.returncode == 2
    assert not list(base.directory.glob("*parquet*"))


def test_a_console_that_was_installed_from_a_bare_checkout_says_where_its_libraries_are(
    bare: Path, tmp_path: Path
) -> None:
    finished = installed(bare, tmp_path, ["console"]).run("retrace", "--url", "http://127.0.0.1:1", "console")

    assert "uPlot and lit-html" in finished.stderr
    assert "`make page`" in finished.stderr
    assert finished.returncode == 2


def test_the_wheel_of_a_source_distribution_is_that_of_the_checkout_and_has_the_libraries_of_the_page(
    tmp_path: Path,
) -> None:
    sources = a_checkout(tmp_path / "sources")
    fetched = [str(VENDOR / name) for name in (*FILES.values(), "fetched")]
    (sources / VENDOR).mkdir()
    for name in fetched:
        (sources / name).write_text(name)
    (tmp_path / "again").mkdir()

    archive = sdist(sources, tmp_path)
    of_checkout, of_archive = content(wheel(sources, tmp_path)), content(wheel_of(archive, tmp_path / "again"))

    assert of_checkout == of_archive
    assert {name: of_archive[name].decode() for name in fetched} == {name: name for name in fetched}
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {"chalicelib/events/event.py", "release/vendoring.py", "CHANGELOG.md", "LICENSE", *fetched} <= names


def test_an_editable_installation_uses_the_modules_of_the_checkout(tmp_path: Path) -> None:
    sources = a_checkout(tmp_path / "sources")
    installation = installed(tmp_path / built("build_editable", sources, tmp_path), tmp_path / "environment")

    asked = "import chalicelib, retrace; print(chalicelib.__file__, retrace.__file__)"
    files = installation.said("python", "-c", asked)

    assert files.split() == [str(sources / "chalicelib/__init__.py"), str(sources / "retrace/__init__.py")]


def test_modules_that_are_gone_are_gone_from_the_next_wheel(tmp_path: Path) -> None:
    sources = a_checkout(tmp_path / "sources")
    (sources / "retrace/gone.py").write_text('"""Gone."""\n')
    assert "retrace/gone.py" in content(wheel(sources, tmp_path))
    (sources / "retrace/gone.py").unlink()

    assert "retrace/gone.py" not in content(wheel(sources, tmp_path))


def test_every_library_that_the_command_line_imports_is_a_dependency_or_in_an_extra() -> None:
    required = {re.split(r"[<>=]", line)[0] for line in REQUIRED}
    imported = {name for path in (ROOT / "retrace").rglob("*.py") for name in IMPORT.findall(path.read_text())}
    known = packages_distributions()
    outside = (imported & known.keys()) - set(sys.stdlib_module_names) - {"botocore", "retrace", "chalicelib"}
    typing = {name for name in outside if name.startswith("mypy_boto3")}  # imported for annotations only

    of_vendored_rules = {"pydantic", "tzdata"}
    assert required == {known[name][0].lower() for name in outside - typing} | of_vendored_rules


def test_every_dependency_is_pinned_for_the_tests() -> None:
    pinned = (ROOT / "requirements-tools.txt").read_text()

    assert all(re.search(rf"^{re.split(r'[<>=]', line)[0]}==", pinned, re.MULTILINE) for line in REQUIRED)


def test_the_build_works_offline_with_what_is_pinned() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = (ROOT / "requirements-tools.txt").read_text()

    assert all(re.search(rf"^{re.escape(requirement)}(\s|$)", pinned, re.MULTILINE) for requirement in build)
