"""JSON Pointers: those of RFC 6901, section 5, and what is none."""

from __future__ import annotations

import pytest

from chalicelib.core.lossless_json import Number, parse
from chalicelib.metrics.json_pointer import ABSENT, found_at, parse_pointer

DOCUMENT = parse(
    r'{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"none":null}'
).value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", Number("0")),
        ("/a~1b", Number("1")),
        ("/c%d", Number("2")),
        ("/e^f", Number("3")),
        ("/g|h", Number("4")),
        (r"/i\j", Number("5")),
        ('/k"l', Number("6")),
        ("/ ", Number("7")),
        ("/m~0n", Number("8")),
        ("/none", None),
    ],
)
def test_a_pointer_leads_to_the_value(text: str, found: object) -> None:
    assert found_at(parse_pointer(text), DOCUMENT) == found


@pytest.mark.parametrize(
    "text", ["/bar", "/foo/2", "/foo/-", "/foo/01", "/foo/bar", "/foo/0/0", "/none/x", "/foo/" + "9" * 200]
)
def test_what_is_not_there_is_absent(text: str) -> None:
    assert found_at(parse_pointer(text), DOCUMENT) is ABSENT


def test_nothing_is_found_where_there_is_no_payload() -> None:
    assert found_at(parse_pointer(""), ABSENT) is found_at(parse_pointer("/a"), ABSENT) is ABSENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("amount", "must be empty or begin with /"),
        ("$.amount", "must be empty or begin with /"),
        ("/a~2b", "~ must be followed by 0"),
        ("/a~", "~ must be followed by 0"),
        ("/" + "é" * 128, "longer than 256 bytes"),
    ],
)
def test_what_is_no_pointer_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_pointer(text)
