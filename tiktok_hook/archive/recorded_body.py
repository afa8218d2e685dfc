"""The bytes of a request body, from the text that another program wrote of it.

Other programs decode bodies to text, decompress them, split forms into parameters or leave bodies
out. Several byte sequences may have led to the same text. The signature, the Content-Length header
and the recorded size decide between them; what they do not confirm is marked as altered or missing.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload
from urllib.parse import quote, quote_plus

from tiktok_hook.delivery import BodyState
from tiktok_hook.exact_json import Json, depth, dumps

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)

MAX_PARAMETERS = 10_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One byte sequence that may have been sent.

    Attributes:
        data: The bytes.
        is_guess: Whether it undoes a change that the file gives no sign of, such as converted line
            breaks; only a unique match of the length confirms such a reading.
        is_unsure: Whether the text alone does not show that these were the bytes: its letters
            outside ASCII may have been sent in another encoding, or were lost.
    """

    data: bytes
    is_guess: bool = False
    is_unsure: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file contains about a body in addition to its text.

    Attributes:
        content_length: Value of the Content-Length header; None without a usable one.
        recorded_size: Size that the recording program gives; None without one.
        content_encoding: Value of the Content-Encoding header; empty without one.
        has_body: Whether there are signs of a body, such as a Content-Type or a signature.
        verifies: Whether bytes match the request's signature; None where no secret is known.
    """

    content_length: int | None = None
    recorded_size: int | None = None
    content_encoding: str = ""
    has_body: bool = False
    verifies: Callable[[bytes], bool] | None = None

    @property
    def sizes(self) -> list[int]:
        """The lengths that the file gives, the most reliable first."""
        known = [self.content_length]
        # After a decompression the recorded size is often that of the decompressed text.
        if not self.content_encoding:
            known.append(self.recorded_size or None)
        return [size for size in known if size is not None]


@dataclass(frozen=True, slots=True)
class RecordedBody:
    """The bytes that were chosen.

    Attributes:
        data: The bytes.
        state: How they compare with what was sent.
        sent_bytes: Length of what was sent, where that is known and `data` is incomplete.
        reason: Why the signature cannot be checked against them; empty when they are exact.
    """

    data: bytes
    state: BodyState = BodyState.EXACT
    sent_bytes: int | None = None
    reason: str = ""


def choose(readings: Sequence[Reading], evidence: Evidence, *, note: str = "") -> RecordedBody:
    """Pick the reading that is what was sent.

    Args:
        readings: In order of preference; empty when the file has no body at all.
        evidence: What else is known of it.
        note: Why a body may be missing or different, for the reason.
    """
    if evidence.verifies is not None:
        for reading in readings:
            if evidence.verifies(reading.data):
                return RecordedBody(reading.data)
        if not readings and evidence.verifies(b""):
            return RecordedBody(b"")
    best = readings[0].data if readings else b""
    sent = next(iter(evidence.sizes), None)
    if sent is not None:
        counted = sent == evidence.content_length
        confirmed = _of_size(readings, sent, bytes_are_counted=counted)
        if confirmed is not None:
            return RecordedBody(confirmed)
    if not best:
        return _without_body(evidence, sent, note)
    if evidence.content_encoding:
        return RecordedBody(
            best,
            BodyState.DECOMPRESSED,
            reason=f"the recording program decompressed the body ({evidence.content_encoding[:20]})"
            "; the signed bytes are not in the file",
        )
    if sent is None and not note:
        if readings[0].is_unsure:
            reason = "the file does not show whether the body was sent in this encoding and form"
            return RecordedBody(best, BodyState.ALTERED, reason=reason)
        return RecordedBody(best)
    return _differing(readings, best, evidence, sent, note)


def _differing(
    readings: Sequence[Reading], best: bytes, evidence: Evidence, sent: int | None, note: str
) -> RecordedBody:
    """A body of another length than was sent."""
    recorded = evidence.recorded_size
    if evidence.content_length is not None and recorded is not None:
        # The header was sent; the size only shows which reading the recording program had.
        agreed = _of_size(readings, recorded, bytes_are_counted=False)
        if agreed is not None:
            reason = (
                f"the file contains {len(agreed)} bytes of the body, and its Content-Length is "
                f"{evidence.content_length}"
            )
            return RecordedBody(agreed, BodyState.ALTERED, reason=reason)
    reason = note or f"the file contains {len(best)} bytes of the body, and {sent} were sent"
    is_cut = sent is not None and len(best) < sent and not _is_json(best)
    return RecordedBody(best, BodyState.ALTERED, sent if is_cut else None, reason)


def _of_size(readings: Sequence[Reading], size: int, *, bytes_are_counted: bool) -> bytes | None:
    """The reading of a length; None without one, or where several guesses have it.

    Args:
        readings: To choose from.
        size: In bytes.
        bytes_are_counted: False for a size that may count the characters of a text instead: then
            a guess has to be UTF-8, as JSON is.
    """
    guesses = set()
    for reading in readings:
        if len(reading.data) == size:
            if not reading.is_guess:
                return reading.data
            if bytes_are_counted or _is_utf8(reading.data):
                guesses.add(reading.data)
    return guesses.pop() if len(guesses) == 1 else None


def _without_body(evidence: Evidence, sent: int | None, note: str) -> RecordedBody:
    if sent == 0 or (sent is None and not evidence.has_body and not note):
        return RecordedBody(b"")
    count = "" if sent is None else f" ({sent} bytes were sent)"
    reason = f"the body is not in the file{count}" + (f": {note}" if note else "")
    return RecordedBody(b"", BodyState.MISSING, sent, reason)


_MAX_PARSED_BYTES = 4 << 20
"""A longer body is neither parsed nor decoded on suspicion: that can take many times its memory."""


def _is_json(data: bytes) -> bool:
    if len(data) > _MAX_PARSED_BYTES:
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


_SPACE = re.compile(r"\s")
_BEYOND_LATIN_1 = re.compile("[^\x00-\xff]")
_LATIN1 = frozenset({"iso-8859-1", "iso8859-1", "latin1", "latin-1", "us-ascii", "ascii"})


_MAX_INDENTED_DEPTH = 16
"""Deeper JSON is not tried indented: its text could be hundreds of times as long."""


def of_parsed(value: Json) -> list[Reading]:
    """The readings of a body that is recorded as the JSON that it was parsed to.

    There is none if it is nested too deeply to be written.
    """
    indents = (2, 4) if depth(value) <= _MAX_INDENTED_DEPTH else ()
    try:
        texts = [
            dumps(value),
            json.dumps(value),
            *(json.dumps(value, ensure_ascii=False, indent=each) for each in (None, *indents)),
        ]
    except RecursionError:
        return []
    return [Reading(data, is_guess=True) for data in dict.fromkeys(map(_utf8, texts))]


def of_text(text: str, media_type: str = "") -> Sequence[Reading]:
    """The readings of a body that is recorded as text.

    Args:
        text: As recorded. Characters from U+DC80 to U+DCFF are bytes that are not UTF-8.
        media_type: Its Content-Type, whose charset counts.
    """
    return _TextReadings(text, media_type)


@dataclass(frozen=True, slots=True)
class _TextReadings(Sequence[Reading]):
    """The readings of a text, made when they are asked for.

    Usually the first is the right one, and all of a large body would take several times its memory.
    """

    text: str
    media_type: str

    def __iter__(self) -> Iterator[Reading]:
        is_unsure = None
        for data, is_guess in _readings(self.text, self.media_type):
            if is_unsure is None:
                is_unsure = self._is_unsure(data)
            yield Reading(data, is_guess, is_unsure)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Reading: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Reading]: ...

    def __getitem__(self, index: int | slice) -> Reading | Sequence[Reading]:
        if index == 0:
            return next(iter(self))
        return list(self)[index]

    def _is_unsure(self, data: bytes) -> bool:
        """Whether browsers may have written something else than what was sent.

        They write one character for each byte of what is not UTF-8, and U+FFFD for lost bytes. And
        what is not the JSON that it should be was cut, or encoded without a note of it.
        """
        text = self.text
        if not text.isascii() and ("\ufffd" in text or _BEYOND_LATIN_1.search(text) is None):
            return True
        return "json" in self.media_type.lower() and not _is_json(data)


def _readings(text: str, media_type: str) -> Iterator[tuple[bytes, bool]]:
    """What may have been sent, with whether it is a guess, in order of preference."""
    charset = _CHARSET.search(media_type)
    certain = [_node_buffer(text)]
    if charset is not None and charset[1].lower() not in {"utf-8", "utf8"}:
        certain.append(_encoded(text, charset[1]))
        if charset[1].lower() in _LATIN1:  # as browsers read it
            certain.append(_encoded(text, "cp1252"))
    yield from ((data, False) for data in certain if data is not None)
    utf8 = _utf8(text)
    yield utf8, False
    if not text.isascii():
        latin1 = _encoded(text, "latin-1")
        if latin1 is not None:
            # One character per byte; if that is not UTF-8, the text was more likely decoded
            # properly and its size counts characters.
            yield latin1, not _is_utf8(latin1)
        cp1252 = _encoded(text, "cp1252")
        if cp1252 is not None:
            yield cp1252, True
    if b"\r\n" in utf8:
        yield utf8.replace(b"\r\n", b"\n"), True
    elif b"\n" in utf8:
        yield utf8.replace(b"\n", b"\r\n"), True
    yield utf8 + b"\n", True
    if b"\r\n" in utf8 or b"\n" not in utf8:
        yield utf8 + b"\r\n", True
    if not utf8.startswith(b"\xef\xbb\xbf"):
        yield b"\xef\xbb\xbf" + utf8, True
    for data in _encoded_without_mark(text):
        yield data, True


def _encoded_without_mark(text: str) -> Iterator[bytes]:
    """What a text decodes to that the recording program encoded without a note of it."""
    if len(text) > _MAX_PARSED_BYTES:
        return
    if len(text) >= 8 and re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}\s*", text):
        yield from (reading.data for reading in of_base64(text))
    if len(text) >= 8 and len(text) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", text):
        yield bytes.fromhex(text)
    if text[:1] == text[-1:] == '"' and len(text) > 2:
        try:
            inner = json.loads(text)
        except ValueError:
            return
        if isinstance(inner, str):
            yield _utf8(inner)


_NODE_BUFFER = re.compile(r'\s*\{\s*"type"\s*:\s*"Buffer"\s*,\s*"data"\s*:\s*\[[0-9,\s]*\]\s*\}\s*')


def _node_buffer(text: str) -> bytes | None:
    """The bytes of a Node.js ``Buffer`` that was written as JSON; None for any other text."""
    if _NODE_BUFFER.fullmatch(text) is None:
        return None
    try:
        return bytes(json.loads(text)["data"])
    except ValueError:  # not a byte
        return None


def of_base64(text: str) -> list[Reading]:
    """The reading of a body that is recorded in base64, plain or for URLs; empty if it is not."""
    # A copy is made only where something changes: a body may be as large as a file may be.
    compact = re.sub(r"\s+", "", text) if _SPACE.search(text) else text
    compact = compact.rstrip("=")
    if "-" in compact or "_" in compact:
        compact = compact.translate(str.maketrans("-_", "+/"))
    if missing := -len(compact) % 4:
        compact += "=" * missing
    try:
        data = base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        return []
    return [Reading(data)]


def of_parameters(pairs: Sequence[tuple[str, str]]) -> list[Reading]:
    """The readings of a form that is recorded as its parameters.

    Some programs store names and values decoded, some as they were sent, and some split bodies
    that were not forms at all.
    """
    if len(pairs) > MAX_PARAMETERS:
        return []
    found: dict[bytes, None] = {}
    for data in _forms(pairs):
        found.setdefault(data)
    return [Reading(data, is_guess=True) for data in found]


def _forms(pairs: Sequence[tuple[str, str]]) -> Iterator[bytes]:
    def plain(text: str) -> str:
        return text

    def percent(text: str) -> str:
        return quote(text, safe="", errors="surrogatepass")

    def plus(text: str) -> str:
        return quote_plus(text, safe="", errors="surrogatepass")

    def browser(text: str) -> str:  # as the URL standard has it
        return quote_plus(text, safe="*", errors="surrogatepass").replace("~", "%7E")

    # With a space in it only a body that was not a form can have been sent as it is recorded.
    is_form = not pairs[0][0].lstrip().startswith(("{", "["))
    has_space = any(" " in name + value for name, value in pairs)
    ways = (plus, browser, percent) if is_form and has_space else (plus, browser, percent, plain)
    for write in ways:
        for equals_always in (True, False):
            yield _utf8(
                "&".join(
                    f"{write(name)}={write(value)}" if value or equals_always else write(name)
                    for name, value in pairs
                )
            )


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _encoded(text: str, charset: str) -> bytes | None:
    try:
        return text.encode(charset)
    except (UnicodeError, LookupError, ValueError):
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
