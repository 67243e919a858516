"""The build step that vendors what the command line imports of the application: as `retrace._chalicelib`."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from setuptools.command.build_py import build_py  # type: ignore[import-untyped]  # it has no stubs

SHARED = "chalicelib"
VENDORED = "retrace._chalicelib"
_NAME = re.compile(rf"\b{SHARED}\b")


class BuildPy(build_py):  # type: ignore[misc]  # likewise
    """Copies the modules of a wheel. An editable install has no copies: it imports `chalicelib` from the checkout."""

    def finalize_options(self) -> None:
        """Let an editable install find `chalicelib`."""
        super().finalize_options()
        if self.editable_mode:
            self.distribution.packages.append(SHARED)

    def run(self) -> None:
        """Copy the modules of `retrace`, and vendor those that they import of the application."""
        if self.editable_mode:
            super().run()
            return
        built = Path(self.build_lib)
        shutil.rmtree(built / "retrace", ignore_errors=True)  # an earlier build may have had other modules
        super().run()
        vendor(Path(), built)


def vendor(sources: Path, built: Path) -> None:
    """Copy what the built modules import of the application, and have all of them import the copies."""
    ours = list((built / "retrace").rglob("*.py"))
    for module in imported(sources, ours):
        copy = built / VENDORED.replace(".", "/") / module.relative_to(sources / SHARED)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, copy)
        ours.append(copy)
    for path in ours:
        path.write_text(renamed(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


def imported(sources: Path, modules: Iterable[Path]) -> list[Path]:
    """The modules of the application that some modules import, directly or not."""
    found: dict[Path, None] = {}
    left = list(modules)
    while left:
        for path in _imports(sources, left.pop()):
            if path not in found:
                found[path] = None
                left.append(path)
    return sorted(found)


def _imports(sources: Path, module: Path) -> Iterator[Path]:
    """The application's modules that a module names in its imports, and the packages that they are in."""
    for node in _at_run_time(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and _NAME.match(node.module or ""):
            for alias in node.names:
                yield from _files(sources, f"{node.module}.{alias.name}")


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """A module's nodes without those that only type checkers read."""
    yield node
    match node:
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            children: Iterable[ast.AST] = node.orelse
        case _:
            children = ast.iter_child_nodes(node)
    for child in children:
        yield from _at_run_time(child)


def _files(sources: Path, name: str) -> Iterator[Path]:
    place = sources
    for part in name.split("."):
        place /= part
        yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())


def renamed(source: str) -> str:
    """A module's text, with the application under the name that it has in the wheel, in imports as in strings."""
    return _NAME.sub(VENDORED, source)
