"""Requirements: all pinned by hash, from no particular index, few for who only looks, and those that are deployed."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names

import pytest

from embedded.environment import lists_of, pinned
from embedded.layout import ROOT
from embedded.pins import LOCKS, as_of_pip

PINNED = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; .+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
FILES = list(LOCKS)
LISTS = [(lock, asked) for lock, lists in LOCKS.items() for asked in lists if asked.endswith(".in")]

OURS = {"app", "bench", "chalicelib", "embedded", "infra", "retrace", "tests"}
ADDED_LATER = {
    "chalicelib/runtime/system.py": "requirements-dev.in",  # the hooks of SnapStart, which Lambda has
    "embedded/emulator.py": "requirements-embedded.in",
    "embedded/guard.py": "requirements-embedded.in",
    "retrace/console": "requirements-console.in",
    "retrace/exporting/parquet.py": "requirements-dev.in",
    "retrace/ingesting/records.py": "requirements-dev.in",
    "retrace/commands/sql.py": "requirements-console.in",
    "retrace/querying": "requirements-console.in",
    "tests/e2e/faulty_wire.py": "requirements-faults.in",
}
"""What runs in another environment than the one that `make demo` makes, or in that one with more in it."""


def entries(text: str) -> list[list[str]]:
    """Each pin with its hashes, without the comments."""
    lines = [line.strip() for line in text.replace(" \\\n", "\n").splitlines()]
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("--"):
            found[-1].append(line)
        elif line and not line.startswith("#"):
            found.append([line])
    return found


def pins(text: str) -> dict[str, str]:
    found = [PINNED.fullmatch(pin) for pin, *_ in entries(text)]
    assert all(found), "there is a line that is no pin"
    return {match[1]: match[2] for match in found if match}


def locked(name: str) -> str:
    return (ROOT / name).read_text()


def environment(asked: str) -> dict[str, str]:
    """The versions that an environment gets by a list."""
    [lock] = [lock for lock, name in LISTS if name == asked]
    return pins("\n".join(pinned(locked(lock), lists_of(ROOT / asked))))


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_and_names_no_index_or_path(name: str) -> None:
    assert pins(locked(name))


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes(name: str) -> None:
    for pin, *hashes in entries(locked(name)):
        assert hashes, pin
        assert all(map(HASH.fullmatch, hashes)), pin


@pytest.mark.parametrize("asked", [asked for _, asked in LISTS])
def test_what_was_asked_for_is_pinned(asked: str) -> None:
    names = {re.split(r"[\[=]", line)[0].lower() for line in locked(asked).splitlines() if line[0] not in "#-"}

    assert names <= environment(asked).keys()


def test_the_tools_change_nothing_in_what_is_deployed() -> None:
    assert pins(locked("requirements.txt")).items() <= environment("requirements-run.in").items()


def test_boto3_is_left_to_lambda() -> None:
    assert not {"boto3", "botocore"} & pins(locked("requirements.txt")).keys()


def test_a_demo_takes_at_most_sixty_packages() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "demo"],  # noqa: S607  # whichever make there is
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    lists = set(re.findall(r"requirements\S*\.in", planned.stdout))

    assert lists == {"requirements-run.in", "requirements-embedded.in"}
    assert len({pin for asked in lists for pin in environment(asked).items()}) <= 60 + len({"ansicon", "colorama"})


def modules() -> Iterator[Path]:
    yield from (ROOT / "app.py", ROOT / "tests/e2e/faulty_wire.py")
    for package in ("chalicelib", "embedded", "infra", "retrace"):
        yield from sorted((ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The packages that a module imports when it runs, wherever in it."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(level=0, module=str(name)):
                yield name.partition(".")[0]
            case _:
                yield from imported(node)


def test_each_module_imports_only_what_its_environment_has() -> None:
    owners = packages_distributions()
    for path in modules():
        name = str(path.relative_to(ROOT))
        [asked] = {asked for place, asked in ADDED_LATER.items() if name.startswith(place)} or {"requirements-run.in"}
        foreign = set(imported(ast.parse(path.read_text()))) - OURS - stdlib_module_names
        allowed = environment(asked).keys()
        for package in foreign:
            distributions = {each.lower().replace("_", "-") for each in owners.get(package, [package])}
            assert distributions & allowed, f"{name} imports {package}"


def test_settings_of_pip_become_those_of_uv() -> None:
    listed = (
        ":env:.timeout='9'\nglobal.cert='/c.pem'\nglobal.index-url='https://one/'\ninstall.index-url='https://two/'\n"
    )

    assert as_of_pip(listed) == {"SSL_CERT_FILE": "/c.pem", "UV_DEFAULT_INDEX": "https://two/"}


@pytest.mark.parametrize("place", ["assets", "tests/e2e/browser", "tests/e2e/javascript", "tests/functional/dynamodb"])
def test_packages_for_javascript_are_pinned_by_hash_and_name_no_registry(place: str) -> None:
    locked = json.loads((ROOT / place / "package-lock.json").read_text())["packages"]
    packages = [package for path, package in locked.items() if path]

    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages)
    assert not any("resolved" in package for package in packages)


def test_the_types_of_the_page_are_those_of_its_libraries() -> None:
    used = json.loads((ROOT / "assets/package.json").read_text())["dependencies"]
    checked = json.loads((ROOT / "tests/e2e/browser/package.json").read_text())["dependencies"]

    assert used.items() <= checked.items()
