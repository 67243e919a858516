"""What decides the content of a package, and a name for each such content."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("app.py", "chalicelib", "vendor", "requirements.txt", ".chalice")
"""All that ends in a package, relative to the project; vendor/ may be absent."""


def fingerprint(root: Path, inputs: Iterable[str]) -> str:
    """Return a hash over the names and contents of all files under the inputs."""
    digest = hashlib.sha256()
    for path in _files(root, inputs):
        name, content = str(path.relative_to(root)).encode(), path.read_bytes()
        digest.update(b"%d:%s%d:%s" % (len(name), name, len(content), content))
    return digest.hexdigest()[:24]


def _files(root: Path, inputs: Iterable[str]) -> Iterator[Path]:
    for name in inputs:
        base = root / name
        found = sorted(base.rglob("*")) if base.is_dir() else [base]
        yield from (path for path in found if path.is_file() and not generated(path))


def generated(path: Path) -> bool:
    """Whether a file beneath the sources was made by Python (bytecode, and its temporary file) or by Chalice."""
    return path.parent.name in {"__pycache__", "deployed", "deployments"}
