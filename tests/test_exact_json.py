import copy
import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_hook.exact_json import MAX_DEPTH, ExactFloat, Json, dumps, loads


@pytest.mark.parametrize(
    "text",
    [
        "7545201234567890123",
        "-9223372036854775809",
        "1.10",
        "1e400",
        "-0.0",
        "1E-7",
        "3.141592653589793238462643383279",
        '{"b":1,"a":[1.50,null,true,false,{}],"c":[]}',
        '"café ✓ \\\\ \\" \\n"',
        '"\\ud800"',
        "9" * 4300,
    ],
)
def test_text_survives_reading_and_writing(text: str) -> None:
    assert dumps(loads(text)) == text


def test_a_real_is_a_float_that_copies_with_its_text() -> None:
    value = loads("1.10")
    assert isinstance(value, ExactFloat)
    assert value == 1.1
    assert str(value) == "1.10"
    assert dumps(copy.deepcopy(value)) == "1.10"


def test_orjson_asks_what_to_do_with_an_exact_float() -> None:
    def its_text(value: object) -> orjson.Fragment:
        assert isinstance(value, ExactFloat)
        return orjson.Fragment(value.text)

    assert orjson.dumps([loads("1.10")], default=its_text) == b"[1.10]"


def test_spaces_are_left_out_and_non_ascii_is_kept() -> None:
    assert dumps(loads(' { "k" : [ 1 , "\\u00e9" ] } ')) == '{"k":[1,"é"]}'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut-short"),
        pytest.param(b"{} {}", id="two-values"),
        pytest.param(b"NaN", id="nan"),
        pytest.param(b"[-Infinity]", id="infinity"),
        pytest.param(b'"\xff"', id="bad-utf-8"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param("{}".encode("utf-16"), id="utf-16"),
        pytest.param(b"9" * 4301, id="huge-integer"),
        pytest.param(b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), id="just-too-deep"),
        pytest.param(b"[" * 200_000, id="bottomless-list"),
        pytest.param(b'{"a":' * 200_000, id="bottomless-object"),
        pytest.param(b'"a\nb"', id="raw-line-feed"),
    ],
)
def test_what_is_not_strict_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        loads(text)


def test_many_shallow_brackets_are_fine() -> None:
    assert loads("[" + "[]," * 500 + '"[[["]') == [[]] * 500 + ["[[["]


def test_keys_come_in_order_and_beyond_ascii_is_escaped_when_asked() -> None:
    value = {"b": [{"z": "é", "a": 1}], "a": ("\ud800",)}
    assert dumps(value, sort_keys=True, ascii_only=True) == (
        r'{"a":["\ud800"],"b":[{"a":1,"z":"\u00e9"}]}'
    )


@pytest.mark.parametrize("value", [b"bytes", {1: "a"}, {"a": {1, 2}}])
def test_what_is_not_json_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_float_that_json_cannot_write_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, width=64),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "inf" not in repr(value))


@given(json_values)
def test_what_is_written_reads_back_equal_here_and_in_the_standard_library(value: Json) -> None:
    text = dumps(value)
    text.encode()
    assert loads(text) == value
    assert json.loads(text) == value


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE-+ntrufalse\\', max_size=60))
def test_reading_raises_value_error_or_nothing(text: bytes | str) -> None:
    try:
        value = loads(text)
    except ValueError:
        return
    assert dumps(loads(dumps(value))) == dumps(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**66)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("ascii_only", [False, True])
@given(JSON)
def test_what_is_read_quickly_is_what_the_standard_library_reads(
    ascii_only: bool,  # noqa: FBT001 - pytest gives it by its name
    value: object,
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    slowly = json.loads(text, parse_float=ExactFloat)
    given_as: str | bytes
    for given_as in (text, text.encode()):
        assert repr(loads(given_as)) == repr(slowly)
