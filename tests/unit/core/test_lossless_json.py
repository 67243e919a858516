"""JSON that keeps what was written: one canonical form, located faults, verbatim slices."""

from __future__ import annotations

import gc
import json
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.canonical_json import canonical
from chalicelib.core.errors import Fault
from chalicelib.core.lossless_json import MAX_DEPTH, JsonSyntaxError, JsonValue, Number, one_line, parse, parse_elements
from tests.unit.json_trees import Num, Tree, randoms, texts, trees, write


def canonical_of(text: str) -> str:
    return canonical(parse(text).value)


def value_of(tree: Tree) -> JsonValue:
    """The value that the parser should make of a tree's texts."""
    match tree:
        case Num():
            return Number(tree.literal)
        case list():
            return [value_of(element) for element in tree]
        case dict():
            return {key: value_of(member) for key, member in tree.items()}
        case _:
            return tree


class TestCanonicalForm:
    def test_is_that_of_rfc_8785_but_for_numbers_which_stay_as_they_are_written(self) -> None:
        """RFC 8785, section 3.2.2: the sample, here with its numbers unchanged."""
        written = r"""{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"""

        assert canonical_of(written) == (
            '{"literals":[null,true,false]'
            ',"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001]'
            r""","string":"€$\u000f\nA'B\"\\\\\"/"}"""
        )

    def test_orders_keys_by_utf_16_code_units(self) -> None:
        """RFC 8785, section 3.2.3: the sample. By code points the last two would change places."""
        written = r"""{
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\ud83d\ude00": "Emoji: Grinning Face",
            "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis"
        }"""

        assert list(json.loads(canonical_of(written)).values()) == [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh",
        ]

    def test_escapes_what_must_be_escaped_and_nothing_else(self) -> None:
        """RFC 8785, section 3.2.2.2."""
        short = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\"}
        controls = {chr(code): f"\\u{code:04x}" for code in range(0x20)}
        escapes = controls | short

        for code in [*range(0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F600, 0x10FFFF]:
            assert canonical(chr(code)) == f'"{escapes.get(chr(code), chr(code))}"'

    @given(trees(), randoms)
    def test_is_the_same_for_every_text_of_a_value(self, tree: Tree, rng: Random) -> None:
        assert canonical_of(write(tree, rng)) == canonical_of(write(tree, rng))

    @given(trees(), trees(), randoms)
    def test_is_the_same_for_no_two_values(self, one: Tree, other: Tree, rng: Random) -> None:
        assert (canonical_of(write(one, rng)) == canonical_of(write(other, rng))) == (one == other)

    @given(trees(), randoms)
    def test_is_itself_json_of_the_same_value_and_its_own_canonical_form(self, tree: Tree, rng: Random) -> None:
        form = canonical_of(write(tree, rng))

        assert parse(form).value == value_of(tree)
        assert canonical_of(form) == form

    def test_exists_only_for_json_values(self) -> None:
        with pytest.raises(TypeError, match="float"):
            canonical([1.5])


class TestParsing:
    @given(trees(), randoms)
    def test_keeps_every_token(self, tree: Tree, rng: Random) -> None:
        text = write(tree, rng)
        parsed = parse(text)

        assert parsed.value == value_of(tree)
        assert parsed.text == text.strip(" \t\r\n")
        assert parsed.faults == ()

    @given(st.text('{}[],:"\\ntrufalse0123456789.eE+-N \u00a0', max_size=12) | texts)
    def test_accepts_what_pythons_parser_accepts_and_nothing_else(self, text: str) -> None:
        try:
            json.loads(text)
        except ValueError:
            with pytest.raises(JsonSyntaxError):
                parse(text)
        else:
            assert parse(text).text == text.strip(" \t\r\n")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "expecting value at character 0"),
            ("{", "expecting property name enclosed in double quotes at character 1"),
            ("[1 2]", "expecting ',' delimiter at character 3"),
            ("01", "unexpected text after the value at character 1"),
            ('"\n"', "invalid control character at character 1"),
            ('  "open', "unterminated string starting at character 2"),
        ],
    )
    def test_says_where_a_text_stops_being_json(self, text: str, message: str) -> None:
        with pytest.raises(JsonSyntaxError) as caught:
            parse(text)

        assert str(caught.value) == message

    def test_does_not_show_the_text_when_it_complains(self) -> None:
        with pytest.raises(JsonSyntaxError) as caught:
            parse('{"card": "4111-1111" oops}')

        assert "4111" not in str(caught.value)
        assert "oops" not in str(caught.value)


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "faults"),
        [
            ('{"a":1,"a":1}', {"a": "is a duplicate key"}),
            ('{"a":1,"b":2,"\\u0061":3}', {"a": "is a duplicate key"}),
            ('{"a":[0,{"b":1,"b":2}]}', {"a[1].b": "is a duplicate key"}),
            (
                '{"a":{"b":1,"b":2,"c":1,"c":1,"d":0}}',
                dict.fromkeys(["a.b", "a.c"], "is a duplicate key"),
            ),
            ('{"a":NaN}', {"a": "NaN is not a JSON number"}),
            ('{"a":[1,Infinity]}', {"a[1]": "Infinity is not a JSON number"}),
            ('{"a":{"b":-Infinity}}', {"a.b": "-Infinity is not a JSON number"}),
            (r'{"a":"\ud800"}', {"a": "contains a lone surrogate, which is not a Unicode character"}),
            (r'{"a":["x\uDFFFx"]}', {"a[0]": "contains a lone surrogate, which is not a Unicode character"}),
            (r'{"a":"\ude00\ud83d"}', {"a": "contains a lone surrogate, which is not a Unicode character"}),
            (
                r'{"a":{"\ud800":1}}',
                {"a": "has a key that contains a lone surrogate, which is not a Unicode character"},
            ),
        ],
    )
    def test_are_located(self, text: str, faults: dict[str, str]) -> None:
        assert parse(text).faults == tuple(Fault(field, message) for field, message in faults.items())

    def test_are_all_found_at_once(self) -> None:
        text = r'{"a":NaN,"b":["\ud800",{"c":1,"c":2}],"d":Infinity}'

        assert [fault.field for fault in parse(text).faults] == ["a", "b[0]", "b[1].c", "d"]

    @pytest.mark.parametrize(
        "text", [r'"\ud83d\ude00"', r'"\\ud800"', '"NaN"', '{"a":{"a":{"a":1}}}', '[{"a":1},{"a":1}]']
    )
    def test_are_not_found_where_there_are_none(self, text: str) -> None:
        assert parse(text).faults == ()

    def test_below_a_key_that_is_no_unicode_have_a_path_that_is(self) -> None:
        paths = [fault.field for fault in parse(r'{"a":{"\ud800":{"b":NaN}}}').faults]

        assert paths == ["a", "a.?.b"]

    def test_of_an_object_of_many_members_take_no_comparison_of_each_with_each(self) -> None:
        """200,000 members compared pairwise would be 40,000,000,000 comparisons, more than a request has time for."""
        members = ",".join(f'"{number}":0' for number in range(200_000))

        assert parse(f'{{{members},"7":0,"7":0}}').faults == (Fault("7", "is a duplicate key"),)


def arrays(depth: int, inside: str = "") -> str:
    return "[" * depth + inside + "]" * depth


def objects(depth: int, inside: str = "0") -> str:
    return '{"a":' * depth + inside + "}" * depth


class TestDepth:
    @pytest.mark.parametrize(
        "text",
        [
            arrays(MAX_DEPTH),
            arrays(MAX_DEPTH, "1"),
            objects(MAX_DEPTH),
            f"[[],{arrays(MAX_DEPTH - 1, '1')}]",
            rf'["\ud83d\ude00",{arrays(MAX_DEPTH - 1, "1")}]',
            f'["{"[" * 1_000}"]',
            f"[{','.join(['[]'] * 1_000)}]",
        ],
        ids=["empty", "a number inside", "objects", "a sibling", "an emoji", "brackets in a string", "wide"],
    )
    def test_of_256_levels_is_accepted(self, text: str) -> None:
        parsed = parse(text)

        assert parsed.faults == ()
        assert canonical(parsed.value) == one_line(
            json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
        )

    @pytest.mark.parametrize("text", [arrays(257), objects(257), arrays(600), f'{{"a":{arrays(256)}}}'])
    def test_of_one_more_is_a_fault(self, text: str) -> None:
        assert [fault.message for fault in parse(text).faults] == ["is nested deeper than 256 levels"]

    def test_that_is_too_great_is_blamed_on_the_outermost_field(self) -> None:
        text = f'{{"fine":[1],"payload":{{"x":{arrays(300)}}}}}'

        assert [fault.field for fault in parse(text).faults] == ["payload"]

    @pytest.mark.parametrize("text", [arrays(100_000), "[" * 100_000, objects(100_000), '{"a":' * 100_000])
    def test_without_end_is_refused_without_harm(self, text: str) -> None:
        with pytest.raises(JsonSyntaxError, match="nested deeper than 256 levels"):
            parse(text)


class TestElements:
    @given(st.lists(trees(4), max_size=5), randoms)
    def test_keep_their_own_text_verbatim(self, elements: list[Tree], rng: Random) -> None:
        written = [write(element, rng) for element in elements]

        parsed = list(parse_elements(f" [{','.join(written) or ' '}]\n"))

        assert [element.text for element in parsed] == [text.strip(" \t\r\n") for text in written]
        assert [element.value for element in parsed] == [value_of(element) for element in elements]

    def test_keep_their_faults_apart(self) -> None:
        faulty, fine, deep = parse_elements(f'[{{"a":1,"a":1}}, {{"a":1}}, {arrays(257)}]')

        assert [fault.field for fault in faulty.faults] == ["a"]
        assert fine.faults == ()
        assert [fault.message for fault in deep.faults] == ["is nested deeper than 256 levels"]

    @pytest.mark.parametrize("text", ["", "{}", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "[1]]", "[1] 2"])
    def test_are_those_of_a_whole_array(self, text: str) -> None:
        with pytest.raises(JsonSyntaxError):
            list(parse_elements(text))

    def test_are_read_no_further_than_asked_for(self) -> None:
        assert len(list(islice(parse_elements("[1,2,3, broken"), 3))) == 3


@given(trees(), randoms)
def test_on_one_line_a_text_has_the_same_tokens(tree: Tree, rng: Random) -> None:
    text = parse(write(tree, rng)).text
    line = one_line(text)

    assert "\n" not in line
    assert "\r" not in line
    assert len(line) == len(text)
    assert parse(line).value == value_of(tree)


class TestManyFaults:
    """However much is wrong, what is said of it stays small."""

    def test_are_bounded_in_number(self) -> None:
        faults = parse(f"[{','.join(['NaN'] * 300_000)}]").faults

        assert len(faults) == 21
        assert faults[-1].message == "has more faults than the 20 that are listed"

    def test_are_bounded_in_length(self) -> None:
        key = "k" * 200_000
        faults = parse(f'{{"{key}":[{",".join(["NaN"] * 2_000)}]}}').faults

        assert len(faults) == 21
        assert max(len(fault.field) for fault in faults) < 120


def test_what_was_parsed_is_gone_with_the_last_that_refers_to_it() -> None:
    def in_cycles() -> int:
        gc.collect()
        parse('{"a": [1, {"b": null}]}')
        list(parse_elements('[{"a": 1}, {"a": NaN, "a": 2}]'))
        return gc.collect()

    gc.disable()
    try:
        # Python looks for cycles so seldom that texts in them would fill the memory. Threads of other tests leave some
        # at times, parsing would leave them each time.
        assert min(in_cycles() for _ in range(5)) == 0
    finally:
        gc.enable()
