"""Finds signatures in text and headers that do not have TikTok's form."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tiktok_hook.signature import clocks
from tiktok_hook.signature.header_forms import MAX_CHARS, HeaderReading, readings
from tiktok_hook.signature.scheme import HEADER

_MAX_CHARS = 20_000
_SIGNATURE_NAME = re.compile(
    r"(?i)(?:^|[-_])(?:sign|signatures?|sig|hmac|tiktoksignature)(?:[-_](?:256|sha256|v\d))?$"
)
_TIMESTAMP_NAME = re.compile(r"(?i)(?:^|[-_])(?:timestamp|ts|time|date)$")
_NONCE_NAME = re.compile(
    r"(?i)(?:^|[-_])(?:nonce|(?:svix|webhook|request|message|msg|event|delivery)[-_]?id)$"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_VALUE = re.compile(
    r"""(?<![A-Za-z0-9_])t\s*[=:]\s*["']?[^,;&\s"']{1,40}["']?\s*[,;&]\s*s\s*[=:]\s*["']?"""
    r"""[0-9A-Za-z+/=_-]{0,200}["']?(?:,s=[0-9A-Fa-f]{1,200})*"""
)
_EXACT_VALUE = re.compile(r"(?<![A-Za-z0-9_])t=\d{1,20},s=[0-9a-fA-F]{64}(?![0-9A-Za-z])")


MAX_CANDIDATES = 8
"""How many headers of a request are looked at as signatures."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A header that could be a signature.

    Attributes:
        name: Of the header.
        readings: Every way to read it; those without a timestamp have that of another header.
        is_named: Whether the header is named like a signature.
        companion: The header that held the timestamp, if it was another one.
    """

    name: str
    readings: tuple[HeaderReading, ...]
    is_named: bool = True
    companion: str = ""


def candidates(headers: Sequence[tuple[str, str]]) -> list[Candidate]:
    """Headers other than TikTok's that may be signatures: those named like one come first.

    The timestamp may be in a header of its own, as in ``X-TikTok-Timestamp``. At most
    `MAX_CANDIDATES`.
    """
    named: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for name, value in headers:
        if is_own(name) or not _NAME.fullmatch(name):
            continue
        is_named = _SIGNATURE_NAME.search(name) is not None or _is_scheme(name, value)
        if is_named or _may_hold_digest(name, value):
            (named if is_named else others).append((name, value))
    found = [(name, value, True) for name, value in named]
    found += [(name, value, False) for name, value in others]
    return [
        _candidate(name, value, headers, is_named=is_named)
        for name, value, is_named in found[:MAX_CANDIDATES]
    ]


def is_own(name: str) -> bool:
    """True for TikTok's own header."""
    return name.lower() == HEADER.lower()


_SCHEME = re.compile(r"(?i)(?:hmac|signature|tiktok|hawk|aws4)")


def _is_scheme(name: str, value: str) -> bool:
    """Whether an Authorization header has a scheme with a signature."""
    return name.lower() == "authorization" and _SCHEME.match(value.strip()) is not None


_NEVER = re.compile(
    r"(?i)^(?:cookie|(?:content|repr|want)-.*|digest|etag|if-.*|trace.*|x-tt-logid)$"
)


def _may_hold_digest(name: str, value: str) -> bool:
    return 40 <= len(value) <= MAX_CHARS and _NEVER.match(name) is None


def _candidate(
    name: str, value: str, headers: Sequence[tuple[str, str]], *, is_named: bool
) -> Candidate:
    found = tuple(readings(value))
    if any(reading.timestamps for reading in found):
        return Candidate(name, found, is_named)
    companion, timestamp = next(
        (
            (key, text.strip())
            for key, text in headers
            if _TIMESTAMP_NAME.search(key) and re.fullmatch(r"[0-9]{1,20}", text.strip())
        ),
        next(iter(clocks.of_headers(headers)), ("", "")),
    )
    if not timestamp:
        return Candidate(name, found, is_named)
    return Candidate(
        name,
        tuple(replace(reading, timestamps=(timestamp,)) for reading in found),
        is_named,
        companion,
    )


def nonce_in(headers: Sequence[tuple[str, str]]) -> str | None:
    """The value of a header that is named like a nonce or an id; None without one."""
    nonce = next((text.strip() for key, text in headers if _NONCE_NAME.search(key)), None)
    return nonce if nonce is not None and len(nonce) <= 200 and nonce.isascii() else None


def read_pasted(text: str) -> tuple[str | None, list[tuple[str, str]]]:
    """A signature header out of text in whatever form people copy it.

    A header line, the value alone, ``-H '…'``, a line of ``curl -v`` or a log, JSON, a dict or map
    as languages print it, ``HTTP_TIKTOK_SIGNATURE`` as CGI, PHP, Rails and Django name it.

    Args:
        text: One or several lines.

    Returns:
        The value of the signature header; None if there is one under another name or none at all.
        And all headers that were found, for `diagnose`.
    """
    text = _NAME_AND_VALUE.sub(r'"\1": ', text[:_MAX_CHARS].strip())
    headers = [pair for line in text.splitlines() for pair in _pairs(line)]
    for name, value in headers:
        if _plain_name(name) == HEADER.lower():
            return _across_lines(value, text), headers
    if any(_SIGNATURE_NAME.search(name) for name, _ in headers):
        return None, headers
    if headers and not _looks_like_value(text):
        return None, headers
    name, value = _named_value(text)
    value = _across_lines(value, text)
    return (value if is_own(name) else None), [(name, value)]


# A header as a HAR and developer tools write it.
_NAME_AND_VALUE = re.compile(
    r"""["']?name["']?\s*:\s*["']([A-Za-z0-9_-]{1,100})["']\s*,\s*["']?value["']?\s*:\s*"""
)
_BREAK = r"(?:[ \t]*\\?\r?\n[ \t]*)?"
_BROKEN_VALUE = re.compile(
    rf"(?<![A-Za-z0-9_])t={_BREAK}[0-9]{{1,20}}{_BREAK},{_BREAK}s={_BREAK}"
    rf"(?:[0-9a-fA-F]{_BREAK}){{63}}[0-9a-fA-F](?![0-9A-Za-z])"
)


def _across_lines(value: str, text: str) -> str:
    """The value, or that which a line break in the text interrupts; no header contains one."""
    if "\n" not in text or _EXACT_VALUE.fullmatch(value):
        return value
    found = _BROKEN_VALUE.findall(text)
    return re.sub(_BREAK, "", found[0]) if len(found) == 1 else value


def _named_value(text: str) -> tuple[str, str]:
    """The header in a text with one value, without a colon or `=` after the header's name.

    Quotes around a value are kept: they may be in the header, which is a mistake to name.
    """
    found = list(_EXACT_VALUE.finditer(text))
    if len(found) != 1 or text.strip("\"'`") == found[0][0]:
        return HEADER, text
    before = _NAME.findall(text[: found[0].start()])
    names = [each for each in before if _SIGNATURE_NAME.search(each)]
    name = names[-1] if names and _plain_name(names[-1]) != HEADER.lower() else HEADER
    return name, found[0][0]


def _looks_like_value(text: str) -> bool:
    return _VALUE.search(text) is not None or _HEX.search(text) is not None


def _plain_name(name: str) -> str:
    return re.sub(r"(?i)^http_", "", name).replace("_", "-").lower()


# No part can match at every place of a long text: what an agent or a log pastes is untrusted.
_FIELD = re.compile(
    r"""(?i)(?<![a-z0-9_])(?P<name>[a-z][a-z0-9_-]{0,60}?(?:sign|signature|hmac|256|v1|timestamp|ts|time|nonce))"""
    r"""["'\]\s]*(?:=>|[:=,])\s*(?:string\(\d+\)\s*)?[\["'b\s]*(?P<value>[^"'\]\s][^"'\]]*)"""
)


def _pairs(line: str) -> Iterable[tuple[str, str]]:
    """The headers in one line, whatever surrounds them."""
    bare = re.sub(r"""^\s*(?:[<>*]\s+)?(?:(?:-H|--header)[\s=]*)?["']?""", "", line)
    whole = re.fullmatch(r"([A-Za-z][A-Za-z0-9_-]*)\s*:\s*(.*)", bare)
    if whole is not None and len(whole[1]) > 1:
        yield whole[1], _unquoted(whole[2].rstrip(" \t\v\f\u00a0\"',;\\"))
        return
    for found in _FIELD.finditer(line):
        name, value = found["name"], found["value"]
        if _SIGNATURE_NAME.search(name) or _TIMESTAMP_NAME.search(name) or _NONCE_NAME.search(name):
            core = _VALUE.search(value)
            yield name, core[0] if core else value.strip(" ,;})\\")


def _unquoted(value: str) -> str:
    """The value without quotes and brackets of the language that printed it."""
    core = _VALUE.search(value)
    if core is not None and value[:1] in "\"'[(":
        return core[0]
    return value.strip().strip("\"'`").strip()
