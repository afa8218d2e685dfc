"""Which bytes a body had, according to the file that recorded it."""

import pytest

from tiktok_hook.archive.recorded_body import (
    Evidence,
    Reading,
    RecordedBody,
    choose,
    of_base64,
    of_parameters,
    of_parsed,
    of_text,
)
from tiktok_hook.delivery import BodyState
from tiktok_hook.exact_json import Json

CAFE = '{"event":"caf\u00e9"}'
MOJIBAKE = CAFE.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("text", "media_type", "sent"),
    [
        (CAFE, "application/json", CAFE.encode()),
        (MOJIBAKE, "application/json", CAFE.encode()),
        (CAFE, "text/plain; charset=iso-8859-1", CAFE.encode("latin-1")),
        (CAFE, 'text/plain; charset="UTF-8"', CAFE.encode()),
        ("\u20ac", "text/plain", b"\x80"),
        ("a\nb\nc", "", b"a\r\nb\r\nc"),
        ("a\r\nb\r\nc", "", b"a\nb\nc"),
        ('{"event":"a"}', "", b'\xef\xbb\xbf{"event":"a"}'),
        ('{"event":"a"}', "", b'{"event":"a"}\n'),
        ("\udcff\udc80{", "", b"\xff\x80{"),
        ("\u00ff\u00fe\u0000", "", b"\xff\xfe\x00"),
        ("\u20ac", "text/plain; charset=iso-8859-1", b"\x80"),
        ("abc", "text/plain; charset=utf-16le", b"a\0b\0c\0"),
        ("YWJjZGVmZ2g=", "", b"abcdefgh"),
        ("6162636465666768", "", b"abcdefgh"),
        ('"{\\"a\\":1}"', "application/json", b'{"a":1}'),
        ('"{\\"a\\":1}"', "application/json", b'"{\\"a\\":1}"'),
    ],
    ids=[
        "utf-8",
        "one-character-per-byte",
        "charset",
        "charset-utf-8",
        "cp1252",
        "lf",
        "crlf",
        "bom",
        "last-newline",
        "surrogate-escapes",
        "binary-as-latin-1",
        "charset-as-browsers-read-it",
        "utf-16",
        "base64-without-a-note",
        "hex-without-a-note",
        "json-in-a-json-string",
        "a-json-string",
    ],
)
def test_the_length_decides_between_the_readings_of_a_text(
    text: str, media_type: str, sent: bytes
) -> None:
    found = choose(of_text(text, media_type), Evidence(content_length=len(sent)))
    assert (found.data, found.state, found.reason) == (sent, BodyState.EXACT, "")


def test_the_signature_decides_before_the_length() -> None:
    sent = CAFE.encode("latin-1")
    evidence = Evidence(content_length=len(CAFE.encode()), verifies=lambda data: data == sent)
    assert choose(of_text(CAFE), evidence).data == sent


def test_characters_that_are_counted_as_bytes_make_no_other_bytes() -> None:
    found = choose(of_text(CAFE), Evidence(recorded_size=len(CAFE)))
    assert found.data == CAFE.encode() or found.state is not BodyState.EXACT


@pytest.mark.parametrize(
    ("pairs", "sent"),
    [
        ([("a b", "&"), ("c", "")], b"a+b=%26&c="),
        ([("a b", "&"), ("c", "")], b"a%20b=%26&c="),
        ([("a b", "&"), ("c", "")], b"a%20b=%26&c"),
        ([("a%20b", "%26")], b"a%20b=%26"),
        ([('{"event":"e.x","content":"a', "b"), ('c"}', "")], b'{"event":"e.x","content":"a=b&c"}'),
    ],
    ids=["plus", "percent", "no-equals", "as-sent", "json"],
)
def test_the_length_decides_how_parameters_were_written(
    pairs: list[tuple[str, str]], sent: bytes
) -> None:
    found = choose(of_parameters(pairs), Evidence(content_length=len(sent)), note="parameters")
    assert (found.data, found.state) == (sent, BodyState.EXACT)


@pytest.mark.parametrize(
    ("readings", "evidence", "state", "reason"),
    [
        ([], Evidence(content_length=147), BodyState.MISSING, "147 bytes were sent"),
        ([], Evidence(has_body=True), BodyState.MISSING, "is not in the file"),
        ([], Evidence(), BodyState.EXACT, ""),
        ([], Evidence(content_length=0, has_body=True), BodyState.EXACT, ""),
        (
            of_text("abc"),
            Evidence(content_length=2, content_encoding="gzip"),
            BodyState.DECOMPRESSED,
            "decompressed the body (gzip)",
        ),
        (
            of_text("abc"),
            Evidence(content_encoding="br", recorded_size=3),
            BodyState.DECOMPRESSED,
            "decompressed the body (br)",
        ),
        (of_text("abc"), Evidence(content_length=9), BodyState.ALTERED, "3 bytes of the body"),
        (of_text("abc"), Evidence(), BodyState.EXACT, ""),
        (of_text("a\nb"), Evidence(content_length=4), BodyState.ALTERED, "and 4 were sent"),
        (
            of_text("abc"),
            Evidence(content_length=9, recorded_size=3),
            BodyState.ALTERED,
            "its Content-Length is 9",
        ),
        (of_text("YWJj", "application/json"), Evidence(), BodyState.ALTERED, "does not show"),
    ],
    ids=[
        "missing",
        "missing-of-unknown-length",
        "none",
        "empty",
        "decompressed",
        "decompressed-with-its-size",
        "other-length",
        "no-evidence",
        "two-guesses",
        "two-lengths",
        "no-json",
    ],
)
def test_bytes_that_nothing_confirms_are_marked(
    readings: list[Reading], evidence: Evidence, state: BodyState, reason: str
) -> None:
    found = choose(readings, evidence)
    assert found.state is state
    assert reason in found.reason
    assert bool(found.reason) == (state is not BodyState.EXACT)


@pytest.mark.parametrize("written", ['{"a":[1,"é"]}', '{"a": [1, "\\u00e9"]}', '{"a": [1, "é"]}'])
def test_the_length_decides_how_parsed_json_was_written(written: str) -> None:
    readings = of_parsed({"a": [1, "é"]})
    note = "the file has the parsed body, not its bytes"
    found = choose(readings, Evidence(content_length=len(written.encode())), note=note)
    assert (found.data, found.state) == (written.encode(), BodyState.EXACT)
    unknown = choose(readings, Evidence(), note=note)
    assert (unknown.state, unknown.reason) == (BodyState.ALTERED, note)


def nested(depth: int) -> list[Json]:
    value: list[Json] = [1, 2]
    for _ in range(depth):
        value = [value]
    return value


def test_parsed_json_is_indented_and_written_only_up_to_some_depth() -> None:
    """Indents of deep nesting make a text hundreds of times as long."""
    assert b"\n" in of_parsed(nested(3))[-1].data
    assert all(b"\n" not in reading.data for reading in of_parsed(nested(100)))
    assert of_parsed(nested(5000)) == []


def test_compressed_bytes_are_exact_where_the_file_has_them() -> None:
    compressed = b"\x1f\x8b\x08\x00\xff\xe9"
    text = compressed.decode("latin-1")
    found = choose(of_text(text), Evidence(content_length=6, content_encoding="gzip"))
    assert (found.data, found.state) == (compressed, BodyState.EXACT)


def test_a_truncated_body_has_the_length_that_was_sent() -> None:
    found = choose(of_text('{"event":"a'), Evidence(content_length=900))
    assert (found.state, found.sent_bytes) == (BodyState.ALTERED, 900)


def test_parameters_that_could_be_written_in_two_ways_are_marked() -> None:
    # a=%2A~ and a=*%7E have the same length.
    found = choose(of_parameters([("a", "*~")]), Evidence(content_length=6), note="parameters")
    assert found.state is BodyState.ALTERED


def test_parameters_without_a_length_are_marked_as_rebuilt() -> None:
    found = choose(of_parameters([("a", "b")]), Evidence(), note="only the parameters")
    assert (found.data, found.state, found.reason) == (
        b"a=b",
        BodyState.ALTERED,
        "only the parameters",
    )


@pytest.mark.parametrize("text", ["/+8A", "_-8A", "/+8A\n", "/ +8\r\nA", "_-8A=="])
def test_base64_is_read_in_both_alphabets(text: str) -> None:
    assert of_base64(text) == [Reading(b"\xff\xef\x00")]


def test_what_is_not_base64_has_no_reading() -> None:
    assert of_base64("{}") == []


@pytest.mark.parametrize(
    ("text", "size", "data", "state"),
    [
        ("caf\u00e9", None, b"caf\xc3\xa9", BodyState.ALTERED),
        ("caf\u00e9", 4, b"caf\xe9", BodyState.EXACT),
        ("caf\u00e9", 5, b"caf\xc3\xa9", BodyState.EXACT),
        ("caf\ufffd", None, b"caf\xef\xbf\xbd", BodyState.ALTERED),
        ("caf\ufffd", 4, b"caf\xef\xbf\xbd", BodyState.ALTERED),
        ("caf\u00e9 \u2713", None, b"caf\xc3\xa9 \xe2\x9c\x93", BodyState.EXACT),
        ("cafe", None, b"cafe", BodyState.EXACT),
    ],
    ids=["no-size", "latin-1", "utf-8", "lost", "lost-with-size", "only-utf-8", "ascii"],
)
def test_letters_that_two_encodings_have_are_exact_only_with_a_size(
    text: str, size: int | None, data: bytes, state: BodyState
) -> None:
    found = choose(of_text(text), Evidence(content_length=size))
    assert (found.data, found.state) == (data, state)
    assert bool(found.reason) == (state is not BodyState.EXACT)


def test_a_signature_decides_between_two_encodings() -> None:
    evidence = Evidence(verifies=lambda data: data == b"caf\xe9")
    assert choose(of_text("caf\u00e9"), evidence) == RecordedBody(b"caf\xe9")


@pytest.mark.parametrize(
    ("text", "size", "data"),
    [
        ('{"type":"Buffer","data":[123,34,195,169]}', None, b'{"\xc3\xa9'),
        ('{ "type": "Buffer", "data": [] }', 32, b'{ "type": "Buffer", "data": [] }'),
        ('{"type":"Buffer","data":[1,256]}', None, b'{"type":"Buffer","data":[1,256]}'),
        ('{"type":"Buffer","data":[1],"a":1}', None, b'{"type":"Buffer","data":[1],"a":1}'),
    ],
    ids=["bytes", "the-text-was-sent", "not-bytes", "another-object"],
)
def test_a_buffer_of_nodes_is_its_bytes(text: str, size: int | None, data: bytes) -> None:
    assert choose(of_text(text), Evidence(content_length=size)).data == data
