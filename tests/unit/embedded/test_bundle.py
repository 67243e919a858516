"""Packages are kept by content: the same checkout is packaged once, a changed one anew."""

from collections.abc import Callable
from pathlib import Path

import pytest

from embedded.local import snapshot
from infra.merge import fingerprint

INPUTS = ("app.py", "chalicelib", "vendor", ".chalice")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, content in {
        "app.py": "app",
        "chalicelib/keys.py": "keys",
        ".chalice/config.json": "{}",
        "README.md": "read",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return tmp_path


def change_content(checkout: Path) -> None:
    (checkout / "chalicelib/keys.py").write_text("other")


def rename_file(checkout: Path) -> None:
    (checkout / "chalicelib/keys.py").rename(checkout / "chalicelib/names.py")


def move_text_between_files(checkout: Path) -> None:
    (checkout / "app.py").write_text("ap")
    (checkout / ".chalice/config.json").write_text("p{}")


def add_vendored_library(checkout: Path) -> None:
    (checkout / "vendor").mkdir()
    (checkout / "vendor/library.py").touch()


@pytest.mark.parametrize("change", [change_content, rename_file, move_text_between_files, add_vendored_library])
def test_any_change_of_what_is_packaged_shows(checkout: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint(checkout, INPUTS)

    change(checkout)

    assert fingerprint(checkout, INPUTS) != before


def test_other_files_and_compiled_ones_do_not_matter(checkout: Path) -> None:
    before = fingerprint(checkout, INPUTS)

    (checkout / "README.md").write_text("other")
    (checkout / "chalicelib/__pycache__").mkdir()
    (checkout / "chalicelib/__pycache__/keys.cpython-311.pyc").write_text("compiled")
    (checkout / "chalicelib/__pycache__/cells.cpython-311.pyc.140245").write_text("being compiled")

    assert fingerprint(checkout, INPUTS) == before


def test_make_local_restarts_for_code_and_not_for_what_python_compiles_on_the_way(checkout: Path) -> None:
    before = snapshot(checkout)
    (checkout / "chalicelib/__pycache__").mkdir()
    (checkout / "chalicelib/__pycache__/cells.cpython-311.pyc.140245").write_text("being compiled")
    compiled = snapshot(checkout)
    add_vendored_library(checkout)

    assert compiled == before
    assert snapshot(checkout) != before
