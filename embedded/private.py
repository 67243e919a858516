"""Keeps directories and files of secrets for their owner only, whatever the umask and whatever they were before."""

from pathlib import Path


def close_directory(path: Path) -> None:
    """Make a directory if there is none, and close it to other users."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def close_all_in(path: Path) -> None:
    """Do the same with a directory and all that is in it."""
    close_directory(path)
    for inner in path.rglob("*"):
        if not inner.is_symlink():
            inner.chmod(0o700 if inner.is_dir() else 0o600)


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600, exist_ok=False)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
