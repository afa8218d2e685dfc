"""Finds signatures in text and headers that do not have TikTok's form."""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tiktok_hook.signature.scheme import HEADER

_MAX_CHARS = 20_000
_SIGNATURE_NAME = re.compile(
    r"(?i)(?:^|[-_])(?:sign|signatures?|sig|hmac|tiktoksignature)(?:[-_](?:256|sha256|v1|v3))?$"
)
_TIMESTAMP_NAME = re.compile(r"(?i)(?:^|[-_])(?:timestamp|ts|time)$")
_NONCE_NAME = re.compile(
    r"(?i)(?:^|[-_])(?:nonce|(?:svix|webhook|request|message|msg|event|delivery)[-_]?id)$"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_TIMESTAMP = re.compile(
    r"""(?:^|[^A-Za-z0-9_])(?:t|T|ts|timestamp)["']?\s*[=:]\s*["']?(\d{1,20})\b"""
)
_HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}(?:=|(?![A-Za-z0-9+/_=-]))")
_VALUE = re.compile(
    r"""(?<![A-Za-z0-9_])t\s*[=:]\s*["']?[^,;&\s"']{1,40}["']?\s*[,;&]\s*s\s*[=:]\s*["']?"""
    r"""[0-9A-Za-z+/=_-]{0,200}["']?(?:,s=[0-9A-Fa-f]{1,200})*"""
)
_EXACT_VALUE = re.compile(r"(?<![A-Za-z0-9_])t=\d{1,20},s=[0-9a-fA-F]{64}(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What could be a signature.

    Attributes:
        name: Of the header in which it was found.
        timestamp: ``t`` as its text; None if none was found.
        digests: Every value of 32 bytes.
        companion: The header that held the timestamp, if it was another one.
        nonce: The value of a header of that name; None without one.
    """

    name: str
    timestamp: str | None
    digests: tuple[bytes, ...]
    companion: str = ""
    nonce: str | None = None


def candidates(headers: Sequence[tuple[str, str]]) -> list[Candidate]:
    """Signatures under any header that is named like one.

    The timestamp and the nonce may be in headers of their own, as in ``X-TikTok-Timestamp``.
    """
    found = []
    for name, value in headers:
        if _SIGNATURE_NAME.search(name) and _NAME.fullmatch(name) and not is_own(name):
            found.append(candidate(name, value, headers))
    return found


def is_own(name: str) -> bool:
    """True for TikTok's own header."""
    return name.lower() == HEADER.lower()


def candidate(name: str, value: str, headers: Sequence[tuple[str, str]] = ()) -> Candidate:
    """What one value holds, however it is written."""
    value = value[:_MAX_CHARS]
    digests = [bytes.fromhex(each) for each in _HEX.findall(value)]
    digests += [raw for each in _BASE64.findall(value) if (raw := from_base64(each)) is not None]
    timestamp = _TIMESTAMP.search(value)
    nonce = next((text.strip() for key, text in headers if _NONCE_NAME.search(key)), None)
    nonce = nonce if nonce is not None and len(nonce) <= 200 and nonce.isascii() else None
    if timestamp is not None:
        return Candidate(name, timestamp[1], tuple(digests), nonce=nonce)
    for key, text in headers:
        if _TIMESTAMP_NAME.search(key) and re.fullmatch(r"[0-9]{1,20}", text.strip()):
            return Candidate(name, text.strip(), tuple(digests), key, nonce)
    return Candidate(name, None, tuple(digests), nonce=nonce)


def from_base64(text: str) -> bytes | None:
    """32 bytes written as base64, either alphabet, padded or not; None for anything else."""
    bare = text.rstrip("=")
    if len(bare) != 43:
        return None
    for alphabet in (b"-_", None):
        try:
            return base64.b64decode(f"{bare}=", altchars=alphabet, validate=True)
        except ValueError:
            continue
    return None


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
    text = text[:_MAX_CHARS].strip()
    headers = [pair for line in text.splitlines() for pair in _pairs(line)]
    for name, value in headers:
        if _plain_name(name) == HEADER.lower():
            return value, headers
    if any(_SIGNATURE_NAME.search(name) for name, _ in headers):
        return None, headers
    if headers and not _looks_like_value(text):
        return None, headers
    name, value = _named_value(text)
    return (value if is_own(name) else None), [(name, value)]


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


_FIELD = re.compile(
    r"""(?i)(?P<name>[a-z][a-z0-9_-]*?(?:sign|signature|hmac|256|v1|timestamp|ts|time|nonce))"""
    r"""["'\]\s]*(?:=>|[:=,])\s*(?:string\(\d+\)\s*)?[\["'b\s]*(?P<value>[^"'\]\s][^"'\]]*)"""
)


def _pairs(line: str) -> Iterable[tuple[str, str]]:
    """The headers in one line, whatever surrounds them."""
    bare = re.sub(r"""^\s*(?:[<>*]\s+)?(?:(?:-H|--header)[\s=]*)?["']?""", "", line)
    whole = re.fullmatch(r"([A-Za-z][A-Za-z0-9_-]*)\s*:\s*(.*?)[\s\"',;\\\\]*", bare)
    if whole is not None and len(whole[1]) > 1 and "{" not in whole[1]:
        yield whole[1], _unquoted(whole[2])
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
