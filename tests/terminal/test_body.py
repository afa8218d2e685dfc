from typing import Any

import pytest

from tests.terminal.samples import HOSTILE, delivery, harmless
from tiktok_hook import events, exact_json
from tiktok_hook.delivery import Delivery
from tiktok_hook.terminal.body import ARRIVING, WHOLE, BodyLimits, body_lines
from tiktok_hook.terminal.theme import COLOURED, PLAIN, bare


def shown(body: bytes, *, width: int = 80, whole: bool = False) -> list[str]:
    return lines_of(delivery(body=body), width=width, limits=WHOLE if whole else ARRIVING)


def lines_of(one: Delivery, **options: Any) -> list[str]:
    return [PLAIN.join(line) for line in body_lines(one, **options)]


def test_an_event_is_shown_decoded_with_words_next_to_its_codes() -> None:
    assert shown(events.sample("authorization.removed")) == [
        "{",
        '  "client_key": "awexampleclient1",  ← key of a production app',
        '  "event": "authorization.removed",',
        '  "create_time": 1756684800,  ← 2025-09-01 00:00:00 UTC',
        '  "user_openid": "-000ExampleOpenIdExampleOpenIdExampl",',
        '  "content": {  ← sent as a JSON string',
        '    "reason": 1  ← user disconnected in TikTok',
        "  }",
        "}",
    ]


@pytest.mark.parametrize("name", sorted(events.CATALOGUE))
def test_words_next_to_codes_keep_to_the_width(name: str) -> None:
    lines = shown(events.sample(name), width=60)
    assert all(len(line) <= 60 for line in lines if "←" in line)


@pytest.mark.parametrize(
    "number", ["7545201234567890123", "1.10", "1e400", "123456789012345678901234567890"]
)
def test_numbers_are_shown_as_they_were_sent(number: str) -> None:
    assert f'  "id": {number}' in shown(f'{{"id":{number}}}'.encode())


def test_json_that_is_not_an_event_is_indented_too() -> None:
    assert shown(b'[1,{"a":[]},{}]') == ["[", "  1,", "  {", '    "a": []', "  },", "  {}", "]"]


def test_hostile_strings_and_keys_become_visible() -> None:
    body = exact_json.dumps({"event": "x", HOSTILE: HOSTILE, "content": HOSTILE}).encode()
    lines = shown(body)
    assert all(harmless(line) for line in lines)
    assert any("[red]x[/red]" in line for line in lines)
    assert any("\\u202e" in line for line in lines)


@pytest.mark.parametrize(
    "body",
    [HOSTILE.encode(), b"\x1b[2J plain", b"a\r\nb \x1b]0;t\x07"],
    ids=["all", "esc", "lines"],
)
def test_hostile_text_becomes_visible(body: bytes) -> None:
    assert all(harmless(line) for line in shown(body))


def test_binary_is_shown_as_a_hex_dump_of_its_head() -> None:
    body = bytes(range(256)) * 2
    lines = shown(body)
    assert lines[0] == "000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................"
    assert lines[4] == "000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO"
    assert lines[-1] == f"… {len(body) - ARRIVING.binary} more bytes: tiktok-hook show 12"
    assert len(shown(body, whole=True)) == len(body) // 16


@pytest.mark.parametrize(
    "text", ["x" * 5000, "é" * 5000, "a" + "é" * 5000, "日" * 5000, "a" + "日" * 5000, "a\n" * 5000]
)
def test_a_long_text_is_cut_with_the_bytes_that_are_left(text: str) -> None:
    body = text.encode()
    *lines, last = shown(body)
    shown_text = "\n".join(lines)
    assert text.startswith(shown_text)
    kept = len(shown_text.encode())
    assert kept <= ARRIVING.text * 3
    assert last == f"… {f'{len(body) - kept:,}'.replace(',', ' ')} more bytes: tiktok-hook show 12"
    assert "\n".join(shown(body, whole=True)) == text


@pytest.mark.parametrize("whole", [True, False])
def test_a_rejected_body_that_was_cut_is_marked(whole: bool) -> None:  # noqa: FBT001 - a table's column
    cut = delivery(body=b'{"event":"x","pad":"' + b"x" * 16_364, body_bytes=50_000)
    last = lines_of(cut, limits=WHOLE if whole else ARRIVING)[-1]
    assert last == "… cut when it was stored, 50 000 bytes in all"


def test_long_json_is_cut_and_whole_on_request() -> None:
    body = exact_json.dumps(list(range(5000))).encode()
    lines = shown(body)
    assert len(lines) == ARRIVING.lines + 1
    assert lines[-1] == "… 4 942 more lines: tiktok-hook show 12"
    assert len(shown(body, whole=True)) == 5002


def test_a_long_string_in_json_is_cut_with_the_characters_that_are_left() -> None:
    body = exact_json.dumps({"event": "x", "note": "y" * (ARRIVING.text + 1240)}).encode()
    line = next(line for line in shown(body) if "note" in line)
    assert line.endswith('y…" (1 240 more characters)')


def test_deep_nesting_ends_in_one_line() -> None:
    body = (b'{"a":' * 90) + b"1" + b"}" * 90
    assert len(shown(body, whole=True)) < 60


@pytest.mark.parametrize("body", [b"", b" ", b"null", b"{}", b'"x"', b"\xff"])
def test_odd_bodies_are_shown_somehow(body: bytes) -> None:
    assert shown(body)


def test_colour_changes_nothing_but_the_colour() -> None:
    one = delivery(event="post.publish.failed")
    coloured = [COLOURED.join(line) for line in body_lines(one)]
    assert [bare(line) for line in coloured] == lines_of(one)


def test_a_body_is_bounded_in_lines_and_in_characters() -> None:
    body = exact_json.dumps({str(number): "x" * 300 for number in range(100)}).encode()
    limits = BodyLimits(lines=20, chars=2_000, text=200)
    lines = lines_of(delivery(body=body), limits=limits)
    assert len(lines) <= 21
    assert sum(map(len, lines)) < 2_500
    assert lines[-1].endswith(" more lines: tiktok-hook show 12")
