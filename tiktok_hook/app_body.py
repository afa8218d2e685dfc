"""Response bodies of apps for people's eyes: decompressed, in UTF-8, and the reason in one line.

Bodies are stored and forwarded as they came.
"""

import codecs
import html
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tiktok_hook import exact_json

MAX_DECODED_BYTES = 64 * 1024
"""Most bytes that decompressing gives, so that a small body cannot fill the memory."""

_MAX_CHARS = 200
_MAX_PARTS = 2
_MAX_ADDED_CHARS = 60
"""Most characters by which a longer line may replace the shorter one that it contains."""


def decoded(headers: Iterable[tuple[str, str]], body: bytes) -> bytes | None:
    """The body without its content codings and in UTF-8, at most 64 KiB of it.

    Args:
        headers: Of the response.
        body: Its beginning as it came; a cut one gives what can be read of it.

    Returns:
        None if that changes nothing, if a content coding is unknown, or if the body does not match
        its headers.
    """
    headers = tuple(headers)
    codings = [
        part.strip().lower()
        for name, value in headers
        if name.lower() == "content-encoding"
        for part in value.split(",")
    ]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    plain = body
    if codings:
        found = _without(codings, body)
        if found is None:
            return None
        plain = found
    shown = _transcoded(headers, plain)
    if shown is None:
        shown = _without_half_character(plain)
    return None if shown == body else shown


def _without(codings: list[str], body: bytes) -> bytes | None:
    if len(codings) > 3 or not body:
        return None
    for coding in reversed(codings):  # the last one was applied last
        decoder = _DECODERS.get(coding)
        result = None if decoder is None else decoder(body)
        if not result:
            return None
        body = result
    return body


# Compiled when they are used, by `re` itself: a start of `listen` decodes no body.
_CHARSET = r"""(?i)\bcharset\s*=\s*["']?([\w.:-]{1,40})"""
_META_CHARSET = rb"""(?i)<meta\s[^>]{0,200}\bcharset\s*=\s*["']?([\w.:-]{1,40})"""
# Python has other codecs as well, and some of them are slow for long texts.
_CHARSET_NAME = (
    r"(?i)iso[-_]?(?:8859|2022)|windows-|cp\d|latin|koi8|mac|shift|s?jis|euc|gb|big5|utf-?(?:16|32)"
)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MARKS = {"utf-16": b"\0", "utf16": b"\0", "utf-32": b"\0", "iso-2022": b"\x1b", "iso2022": b"\x1b"}
"""A byte of every text in these charsets, which are read as UTF-8 without an error."""


def _transcoded(headers: tuple[tuple[str, str], ...], body: bytes) -> bytes | None:
    """The body in UTF-8 if its headers, or its ``<meta>`` element, name another charset.

    Servers name a charset by default, whatever an app writes, so what is UTF-8 stays so.
    """
    body = body[:MAX_DECODED_BYTES]
    charset = "utf-16" if body.startswith(_UTF_16_MARKS) else _charset(headers, body)
    if not re.match(_CHARSET_NAME, charset) or _is_utf_8(body, charset.lower()):
        return None
    try:
        text = body.decode(charset, "replace")
    except LookupError:
        return None
    return _without_half_character(text.encode("utf-8", "replace")[:MAX_DECODED_BYTES])


def _without_half_character(body: bytes) -> bytes:
    """UTF-8 that was cut at the limit, without the character that the cut went through."""
    if len(body) < MAX_DECODED_BYTES:
        return body
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(body).encode()
    except UnicodeDecodeError:
        return body


def _charset(headers: tuple[tuple[str, str], ...], body: bytes) -> str:
    """The charset that a response names; empty if it names none."""
    for name, value in headers:
        if name.lower() == "content-type" and (found := re.search(_CHARSET, value)):
            return found[1]
    meta = re.search(_META_CHARSET, body[:2048])
    return meta[1].decode("ascii", "replace") if meta else ""


def _is_utf_8(body: bytes, charset: str) -> bool:
    """Whether the bytes are UTF-8, although another charset is named."""
    mark = next((mark for name, mark in _MARKS.items() if charset.startswith(name)), None)
    if mark is not None and mark in body:
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(body, final=len(body) < MAX_DECODED_BYTES)
    except UnicodeDecodeError:
        return False
    return True


def _inflate(body: bytes) -> bytes | None:
    """gzip, zlib, and the raw deflate that some servers call ``deflate``."""
    for window_bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window_bits).decompress(body, MAX_DECODED_BYTES)
        except zlib.error:
            continue
    return None


def _brotli(body: bytes) -> bytes | None:
    """Brotli, where one of its two packages is installed."""
    for name in ("brotli", "brotlicffi"):
        try:
            module: Any = __import__(name)
        except ImportError:
            continue
        try:
            decoder = module.Decompressor()
            parts, size = [], 0
            # Fed in small pieces, so that the output stays bounded in every version of the package.
            for at in range(0, len(body), 64):
                parts.append(decoder.process(body[at : at + 64]))
                size += len(parts[-1])
                if size > MAX_DECODED_BYTES:
                    break
            return b"".join(parts)[:MAX_DECODED_BYTES]
        except module.error:
            return None
    return None


def _zstandard(body: bytes) -> bytes | None:
    """Zstandard, which Python has from 3.14 on."""
    try:
        zstd: Any = __import__("compression.zstd", fromlist=["zstd"])
    except ImportError:
        return None
    try:
        result: bytes = zstd.ZstdDecompressor().decompress(body, MAX_DECODED_BYTES)
    except zstd.ZstdError:
        return None
    return result


_DECODERS: Mapping[str, Callable[[bytes], bytes | None]] = {
    "gzip": _inflate,
    "x-gzip": _inflate,
    "deflate": _inflate,
    "br": _brotli,
    "zstd": _zstandard,
}


def reason(body: bytes) -> str:
    """The reason that an error response gives, in one line of at most 200 characters.

    A message in JSON, the title and the message of an HTML error page, the last line of a Python
    traceback, otherwise the first lines of the text. Stack traces are left out.

    Args:
        body: Decompressed; it need not be complete.

    Returns:
        Not yet escaped; empty if the body is empty, binary or without text.
    """
    text = _text(body)
    if text is None or not text.strip():
        return ""
    found = _from_json(text) or (_from_html(text) if _is_html(text) else _from_plain(text))
    return found if len(found) <= _MAX_CHARS else f"{found[:_MAX_CHARS].rstrip()}…"


def visible_text(body: bytes) -> str:
    """All text that a reader of the body would see: of a page no tags, scripts or comments."""
    text = _text(body) or ""
    if not _is_html(text):
        return text
    page = _Page(text)
    return "\n".join([page.title, *page.messages, *page.blocks, *page.cells])


def _text(body: bytes) -> str | None:
    """The body as text; None for one that is mostly something else."""
    body = body[:MAX_DECODED_BYTES]
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    strange = sum(text.count(each) for each in ("\ufffd", "\0"))
    return None if strange * 8 > len(text) else text


# JSON.

_MESSAGE_KEYS = (
    "message", "error_description", "detail", "error", "errors", "exception", "reason", "msg",
    "description", "title", "err",
)  # fmt: skip


def _from_json(text: str) -> str:
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return ""
    try:
        value = exact_json.loads(text)
    except ValueError:
        return ""
    found: list[str] = []
    for message in _messages(value, 0):
        line = _first_line(message)
        # `{"error": "Internal Server Error", "message": "boom"}` needs the second one only.
        if line and line not in found and not _is_generic(line):
            found.append(line)
    return " / ".join(found[:_MAX_PARTS]) or _one_line(text)


def _messages(value: object, depth: int) -> Iterable[str]:
    """The strings under the keys by which frameworks name a message, the best key first."""
    if isinstance(value, str):
        yield value
    elif depth > 4:
        return
    elif isinstance(value, list):
        for inner in value[:_MAX_PARTS]:
            yield from _messages(inner, depth + 1)
    elif isinstance(value, dict):
        for key in _MESSAGE_KEYS:
            if key in value:
                yield from _messages(value[key], depth + 1)
        if depth and not any(key in value for key in _MESSAGE_KEYS):
            for inner in list(value.values())[:_MAX_PARTS]:  # errors by field
                yield from _messages(inner, depth + 1)


# Plain text.

_FRAME = re.compile(
    r"""\s*(?:at\s+\S.*[:(]\S*\d|at\s+[\w.$<>]+\(.*\)|File\s".*",\sline\s\d|from\s\S+:\d+:in\s
    |\#\d+\s|\S+\.(?:rb|py|js|ts|php|java|go):\d+:in\b|Stack\strace:|\[stacktrace\]
    |goroutine\s\d+|Caused\sby:)""",
    re.VERBOSE,
)


def _from_plain(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    start = next((at for at, line in enumerate(lines) if line.startswith("Traceback (")), None)
    if start is not None:
        # Python prints the cause last, the message of an exception may have several lines.
        after = [line for line in lines[start + 1 :] if not line.startswith(" ")]
        return " ".join(after[-1].split()) if after else ""
    kept: list[str] = []
    for line in lines:
        if _FRAME.match(line):
            break
        kept.append(" ".join(line.split()))
    return " / ".join(kept[:3])


# HTML.

_HTML_START = re.compile(
    r"(?i)<(?:!doctype|html|head|body|title|h1|br|b|pre|p|div|style|!--)[\s>/]"
)
_INVISIBLE = frozenset(
    {"script", "style", "svg", "template", "noscript", "textarea", "nav", "button"}
)
_BREAKS = frozenset(
    {"br", "p", "div", "h1", "h2", "h3", "h4", "pre", "li", "tr", "td", "th", "table", "title"}
    | {"header", "section", "main", "article", "body", "hr", "dt", "dd", "ul", "ol"}
)
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
_TAG = re.compile(r"(?P<closing>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<attributes>[^>]*)>")
_MESSAGE_CLASS = re.compile(
    r"(?i)\b(?:class|id)\s*=\s*[\"']?[^\"'>]*?(?:exception|error|exc)[_-]?(?:value|msg|message)\b"
)
_GENERIC = re.compile(
    r"""(?ix)
    (?:http\s*(?:status|error)\s*)?(?:[1-5]\d\d)?[\s:.\u2013-]*
    (?:(?:internal\s)?server\serror|error|forbidden|bad\srequest|unauthorized|(?:page\s)?not\sfound
       |method\snot\sallowed|service\sunavailable|whitelabel\serror\spage|starlette\sdebugger
       |action\scontroller:\sexception\scaught|exception\scaught|oops.{0,40}
       |application\serror|an?\s(?:unknown\s)?error\s(?:has\s)?occurr?ed
       |an\sunhandled\sexception\soccurred\swhile\sprocessing\sthe\srequest)?
    [\s.!]*(?:\(?[1-5]\d\d\)?)?[\s.]*
    """
)
_BOILERPLATE = re.compile(
    r"""(?ix)
    this\sapplication\shas\sno\sexplicit\smapping | the\sserver\sencountered\san\sinternal\serror
    | the\srequested\surl\swas\snot\sfound\son\sthe\sserver | \w{3}\s\w{3}\s\d\d\s\d\d:\d\d:\d\d
    | traceback(?:$|\s\(most\srecent|\sinterpreter) | type:?\sstatus\sreport
    | the\sdebugger\scaught\san\sexception | extracted\ssource\s\(around\sline
    """
)
_CLASS = r"(?:\w+(?:\\|::|\.))*[A-Z]\w*(?:Exception|Error)"
_NEXT_DATA = re.compile(r'(?is)<script[^>]*id="__NEXT_DATA__"[^>]*>(.*?)</script>')


def _is_html(text: str) -> bool:
    return _HTML_START.search(text[:4096]) is not None


def _is_generic(text: str) -> bool:
    """True for text that adds nothing to the status."""
    return _GENERIC.fullmatch(text.strip()) is not None or _BOILERPLATE.match(text) is not None


def _from_html(text: str) -> str:
    page = _Page(text)
    development = _NEXT_DATA.search(text)
    message = _from_json(development[1]) if development and '"err"' in development[1] else ""
    # `ValueError: boom // Werkzeug Debugger`
    title = re.sub(r"\s*(?://|[|\u2013-])\s*[\w ]*Debugger\s*$", "", page.title).strip()
    exception = [] if page.messages else _exception(page.blocks)
    texts = [message, *page.messages, *exception, title, *page.blocks]
    if title and page.messages and not _is_generic(title):
        texts = [title, message, *page.messages]  # the rest is source code and settings
    lines = _informative(texts) or _informative(page.cells)
    if not lines:  # a page that repeats its status is quoted all the same
        found = [line for each in (title, *page.blocks) if (line := _one_line(each))]
        lines = [line for line in found if line.lower() != "error"][:1] or found[:1]
    return " / ".join(lines)


def _exception(blocks: list[str]) -> list[str]:
    """The block that is the name of an exception's class, and the one behind it, its message.

    Laravel's page has the name of the site as its title. Its class may come twice in the block,
    the second time for narrow screens and without its namespace.
    """
    for at, block in enumerate(blocks[:10]):
        words = block.split()
        if 1 <= len(words) <= 2 and re.fullmatch(_CLASS, words[0]) and words[0].endswith(words[-1]):
            return [words[0], *blocks[at + 1 : at + 2]]
    return []


def _informative(texts: Iterable[str]) -> list[str]:
    """The first lines that add to the status and to one another."""
    lines: list[str] = []
    for each in texts:
        line = _first_line(each)
        if not line or _is_generic(line) or _FRAME.match(line):
            continue
        shorter = next((other for other in lines if other in line), None)
        if shorter is not None:
            if len(line) <= len(shorter) + _MAX_ADDED_CHARS:
                lines[lines.index(shorter)] = line
            continue
        if any(line.rstrip(".") in other for other in lines):
            continue
        lines.append(line)
        if len(lines) == _MAX_PARTS:
            break
    return lines


class _Page:
    """The title, the texts that frameworks mark as the message, and all other text of a page.

    Read in one pass over the tags: Python's own parser takes quadratic time for some broken
    pages, and a page comes from whatever answers at the target.
    """

    def __init__(self, text: str) -> None:
        self.title = ""
        self.messages: list[str] = []
        self.blocks: list[str] = []
        self.cells: list[str] = []  # of tables: source code and settings, seldom the reason
        self._text: list[str] = []
        self._open: list[str] = []
        self._hidden = ""  # name of the element whose content is left out; `!--` for a comment
        self._message_depth: int | None = None
        first, *pieces = text.split("<")
        self._text.append(first)
        for piece in pieces:
            self._read(piece)
        self._end_block()

    def _read(self, piece: str) -> None:
        """One tag and the text behind it."""
        if self._hidden == "!--" or piece.startswith("!--"):
            _, end, data = piece.partition("-->")
            self._hidden = "" if end else "!--"
            self._text.append(data)
            return
        if piece[:1] in {"!", "?"} and not self._hidden:
            self._text.append(piece.partition(">")[2])
            return
        found = _TAG.match(piece)
        if found is None:
            if not self._hidden:
                self._text.append(f"<{piece}")
            return
        name, attributes, data = found["name"].lower(), found["attributes"], piece[found.end() :]
        if self._hidden:
            if not found["closing"] or name != self._hidden:
                return
            self._hidden = ""
        elif found["closing"]:
            self._close(name)
        elif name in _INVISIBLE:
            self._hidden = name
            return
        else:
            self._start(name, attributes)
        self._text.append(data)

    def _start(self, name: str, attributes: str) -> None:
        if name in _BREAKS:
            self._end_block()
        if name in _VOID or len(self._open) > 200:
            return
        self._open.append(name)
        if self._message_depth is None and _MESSAGE_CLASS.search(attributes[:500]):
            self._end_block()
            self._message_depth = len(self._open)

    def _close(self, name: str) -> None:
        if name in _BREAKS:
            self._end_block()
        if name in self._open:
            while self._open.pop() != name:
                pass
        if self._message_depth is not None and len(self._open) < self._message_depth:
            self._end_block()
            self._message_depth = None

    def _end_block(self) -> None:
        text = html.unescape("".join(self._text))
        self._text.clear()
        if not text.strip() or len(self.blocks) + len(self.cells) > 100:
            return
        if "title" in self._open and not self.title:
            self.title = " ".join(text.split())
        elif self._message_depth is not None:
            self.messages.append(text)
        elif "td" in self._open or "th" in self._open:
            self.cells.append(text)
        else:
            self.blocks.append(text)


def _first_line(text: str) -> str:
    """The text up to the first stack frame, on one line."""
    kept: list[str] = []
    for line in text.strip().splitlines():
        if _FRAME.match(line):
            break
        kept.append(line)
    return " ".join(" ".join(kept).split())


def _one_line(text: str) -> str:
    return " ".join(text.split())
