"""Hostile text made harmless to look at."""

import re
from functools import cache

# Control characters (C0, DEL, C1), what reorders or hides text (bidirectional marks and overrides,
# zero-width and invisible characters, line and paragraph separators, tags, the byte order mark)
# and surrogates, which no terminal or encoder takes. The variation selectors that many emoji carry
# (U+FE00 to U+FE0F) hide nothing and stay, and so does a zero-width joiner between two emoji, which
# makes one of them.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_EMOJI = "\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_JOINER = f"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"


@cache
def _unsafe(*, keep_newlines: bool = False) -> re.Pattern[str]:
    # Compiled when first needed: it takes 1 ms, and every command imports this module.
    kept = "[\n\t]|" if keep_newlines else ""
    return re.compile(f"(?!{kept}{_JOINER})[{_UNSAFE}]")


def visible(text: str, *, keep_newlines: bool = False) -> str:
    r"""The text with everything that could deceive a reader written as an escape.

    Args:
        text: Anything, from anybody.
        keep_newlines: Leave line feeds and tabs as they are, for text shown over several lines.

    Returns:
        The same text when there is nothing to escape; otherwise ``\x1b``, ``\u202e`` or
        ``\U000e0041`` in place of each such character. Backslashes stay as they are, so this
        is for eyes, not for reading back.
    """
    # Almost all text is plain, and str's own check is faster than any search.
    if text.isascii() and text.isprintable():
        return text
    return _unsafe(keep_newlines=keep_newlines).sub(_escape, text)


def visible_json(document: bytes) -> bytes:
    r"""The same JSON with everything that could deceive a reader written as JSON's own escape.

    Args:
        document: Compact JSON in UTF-8: outside its strings there is nothing to escape.

    Returns:
        What reads back as the very same values: ``\u202e`` in place of that character.
    """
    # C0 cannot stand in JSON unescaped; in what is ASCII only DEL is left.
    if document.isascii() and b"\x7f" not in document:
        return document
    return _unsafe().sub(_json_escape, document.decode()).encode()


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()  # beyond U+FFFF JSON writes a pair of surrogates
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
