"""Packed files: read whatever they are made of, and up to the byte at which they are broken."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from collections.abc import Callable

import pytest
import zstandard

from retrace.ingesting import unpacking
from retrace.ingesting.files import Format, records
from retrace.ingesting.foreign_formats import Mapped
from retrace.ingesting.records import Record
from retrace.problem import Exit, Problem
from tests.unit.cli.test_ingest_readers import Dripping, read

_RNG = random.Random(7)
EVENTS = [b'{"n":%d,"x":"%x"}' % (number, _RNG.getrandbits(400)) for number in range(3_000)]
PACKINGS = [gzip.compress, zstandard.compress]
Pack = Callable[[bytes], bytes]


def before_the_break(content: bytes, name: str, wanted: Format | None = None) -> tuple[list[Record], Problem]:
    """What comes out of a broken file, and what is told of it."""
    found: list[Record] = []
    with pytest.raises(Problem) as told:
        found.extend(records(name, io.BufferedReader(Dripping(content, [65_536])), wanted, Mapped()))
    return found, told.value


def unpacked(packed: bytes) -> bytes:
    """What can be unpacked of it, byte for byte."""
    frame = zlib.decompressobj(31) if packed[:1] == b"\x1f" else zstandard.ZstdDecompressor().decompressobj()
    found = b""
    for at in range(len(packed)):
        try:
            found += frame.decompress(packed[at : at + 1])
        except (zlib.error, zstandard.ZstdError):
            break
    return found


def skippable(size: int) -> bytes:
    """A zstd frame without content, as pzstd writes one before each other."""
    return struct.pack("<II", 0x184D2A50, size) + bytes(size)


def events_of(name: str) -> list[bytes]:
    return EVENTS if name == "x" else [b"a,b,c,d,{%d}" % _RNG.getrandbits(400) for _ in EVENTS]


@pytest.mark.parametrize("pack", PACKINGS)
@pytest.mark.parametrize(
    ("layout", "end", "name", "wanted"),
    [
        (b"%s", b"\n", "x", None),
        (b"%s", b"\n", "x", Format.NDJSON),
        (b"%s", b"", "x", None),
        (b"[%s]", b",", "x", None),
        (b'{"Records":[%s]}', b",", "x", None),
        (b"source,event_type,entity_id,event_time,n\n%s", b"\n", "x.csv", None),
    ],
)
def test_every_whole_event_before_the_break_comes_out(
    layout: bytes, end: bytes, name: str, wanted: Format | None, pack: Pack
) -> None:
    packed = pack(layout % end.join(events_of(name)))
    broken = packed[: len(packed) * 2 // 3]

    found, told = before_the_break(broken, name, wanted)

    assert 1_000 < len(found) == unpacked(broken).count(b"}" + end) < 3_000
    assert told.exit_code is Exit.USAGE


@pytest.mark.parametrize("pack", PACKINGS)
def test_every_byte_before_a_change_comes_out(pack: Pack) -> None:
    packed = pack(b"\n".join(EVENTS))
    place = len(packed) * 2 // 3
    broken = packed[:place] + bytes(byte ^ 0xFF for byte in packed[place:])
    stream = unpacking.unpacked(io.BufferedReader(Dripping(broken, [4_096])))
    found: list[bytes] = []

    with pytest.raises(unpacking.Broken, match="cannot be unpacked from byte"):
        found.extend(iter(lambda: stream.read(10_000), b""))

    assert b"".join(found) == unpacked(broken)
    assert len(b"".join(found)) > 100_000


@pytest.mark.parametrize("pack", PACKINGS)
def test_the_error_names_the_place_of_the_break(pack: Pack) -> None:
    packed = pack(b"\n".join(EVENTS))

    cut = before_the_break(packed[:5_000], "x")[1]
    with_more = before_the_break(packed + b"garbage", "x")

    assert "ends inside" in cut.what
    assert "byte 5,000" in cut.what
    assert f"from byte {len(packed):,}" in with_more[1].what
    assert [one.text for one in with_more[0]] == EVENTS
    assert "no event counts twice" in cut.remedy


def test_the_checksum_of_what_came_out_counts() -> None:
    packed = gzip.compress(b"\n".join(EVENTS))

    found, told = before_the_break(packed[:-8] + b"12345678", "x")

    assert len(found) == 3_000
    assert "incorrect data check" in told.what


@pytest.mark.parametrize(
    "pack",
    [
        lambda lines: b"".join(map(gzip.compress, lines)),
        lambda lines: gzip.compress(b"".join(lines)) + bytes(512),
        lambda lines: b"".join(skippable(4) + zstandard.compress(line) for line in lines),
        lambda lines: zstandard.compress(b"".join(lines)) + skippable(0) + skippable(3_000),
    ],
    ids=["members", "padded with zeros", "pzstd", "skippable frames behind"],
)
def test_every_member_and_frame_is_read(pack: Callable[[list[bytes]], bytes]) -> None:
    assert [one.text for one in read(pack([event + b"\n" for event in EVENTS[:50]]))] == EVENTS[:50]
