"""Files of events: read plain or gzipped, and cut into batches that lose nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.sending import batches, read
from infra.command import Problem


@pytest.mark.parametrize("packed", [False, True])
def test_blank_lines_and_windows_line_ends_are_no_events(tmp_path: Path, *, packed: bool) -> None:
    content = b'{"a":1}\r\n\n \r\n{"b":2}'
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(content) if packed else content)

    assert [line.strip() for line in read(path)] == [b'{"a":1}', b'{"b":2}']


def test_a_broken_line_among_good_ones_is_for_the_stack_to_judge(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(b'{"a":\n{"b":2}\n')

    assert len(read(path)) == 2


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"[1]\n", b"\x89PNG\x00", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_ndjson_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events"
    path.write_bytes(content)

    with pytest.raises(Problem, match="is not NDJSON"):
        read(path)


@given(st.lists(st.binary(max_size=40)), st.integers(1, 10), st.integers(1, 100))
def test_batches_hold_every_line_once_in_order_and_keep_their_limits(
    lines: list[bytes], events: int, size: int
) -> None:
    cut = list(batches(lines, events, size))

    assert [line for batch in cut for line in batch] == lines
    assert all(0 < len(batch) <= events for batch in cut)
    assert all(len(batch) == 1 or len(b"\n".join(batch)) <= size for batch in cut)
