"""Objects that digests list, read from a copy of the bucket: one file for each key, without versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path

from chalicelib.aws import keys
from chalicelib.core.timestamps import instant_of
from retrace.checking.object_versions import PresentVersion
from retrace.problem import Exit, Problem


@dataclass(frozen=True)
class CopiedObjects:
    """A copy of a whole bucket, as `aws s3 sync` makes it: with the times that S3 tells."""

    directory: Path
    keeps_versions: bool = False

    @property
    def are_there(self) -> bool:
        """Whether objects were copied, too."""
        return any((self.directory / each).is_dir() for each in keys.LISTED)

    def by_key(self, prefix: str) -> Iterator[tuple[str, list[PresentVersion]]]:
        """Each file in the order of the keys' bytes."""
        folder = self.directory / prefix.rpartition("/")[0]
        names = (path.relative_to(self.directory).as_posix() for path in folder.rglob("*") if path.is_file())
        for key in sorted((name for name in names if name.startswith(prefix)), key=str.encode):
            modified = datetime.fromtimestamp((self.directory / key).stat().st_mtime, UTC)
            yield key, [PresentVersion(key, "", instant_of(modified), latest=True)]

    def sha256(self, s3_key: str, version_id: str) -> str | None:  # noqa: ARG002  # files have no versions
        """The hash of a file."""
        try:
            with (self.directory / s3_key).open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Problem(f"{s3_key} cannot be read: {error}", "Copy it anew: aws s3 sync", Exit.USAGE) from error
