"""Requests that two programs could read differently, and how programs read them.

Each case is what one connection carries: a request of unusual form, and another one, `INNER`,
behind it. `READINGS` are parsers with the liberties that servers and proxies are known to take.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

INNER = b"POST /inner HTTP/1.1\r\nHost: hooks.example\r\nContent-Length: 0\r\n\r\n"
_HOST = b"Host: hooks.example\r\n"
_LAST = b"0\r\n\r\n"
_CHUNKS = b"3\r\nabc\r\n" + _LAST

_NEAR_A_VALUE = [b"\t", b"  ", b"\x00", b"\x0b", b"\x0c", b"\x7f", b"\x85", b"\xa0", b"\r", b"\n"]
_BEHIND_A_NAME = [b" ", b"\t", b"\x00", b"\x0b", b"\r", b"\n", b"\r\n", b"\xa0", b":", b"-"]


def _forms(name: bytes, value: bytes) -> Iterator[bytes]:
    """A header in every form that some program reads as that header."""
    header = name + b": " + value
    yield header
    yield name + b":" + value
    yield name.lower() + b": " + value
    yield name.upper() + b": " + value.upper()
    for each in _NEAR_A_VALUE:
        yield name + b":" + each + value
        yield header + each
        yield header + each + b"x"
    for each in _BEHIND_A_NAME:
        yield name + each + b": " + value
    yield b" " + header
    yield b"\t" + header
    yield b"\x00" + header
    yield b":" + header
    yield name.replace(b"-", b"_") + b": " + value
    yield name.replace(b"-", b".") + b": " + value
    yield name.replace(b"-", b" ") + b": " + value
    yield name + b":\r\n " + value
    yield name + b":\r\n\t" + value
    yield name + b":\r\n\r\n " + value
    yield header + b"\r\n x"
    yield header + b"\r\n "
    yield b"X: a\r\n " + header
    yield b"X: a\n" + header
    yield b"X: a\r" + header
    yield b"X: a\r\r\n" + header
    yield b"X: a\r\n\r" + header
    yield b"X: a\x00" + header
    yield b"X\n" + header
    yield b"X\r\n" + header
    yield b'X: "a\r\n' + header + b'"'
    for quote in (b'"', b"'"):
        yield name + b": " + quote + value + quote
    yield header + b"\r\n" + header
    yield name + b": " + value + b", " + value
    yield name + b": " + value + b","
    yield name + b": ," + value
    yield name + b": " + value + b";q=1"
    yield name + b":"
    yield name


ENCODINGS = [
    *_forms(b"Transfer-Encoding", b"chunked"),
    *(
        b"Transfer-Encoding: " + value
        for value in (
            *(b"identity", b"identity, chunked", b"chunked, identity", b"gzip, chunked"),
            *(
                b"chunked, gzip",
                b"xchunked",
                b"chunkedx",
                b"chunke",
                b"cHuNkEd",
                b"chunked chunked",
            ),
            *(
                b"deflate",
                b"x, chunked",
                b"chunked\\x20",
                b"Chunked",
                b"trailers, chunked",
                b"null",
            ),
        )
    ),
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:\r\nTransfer-Encoding: chunked",
    b"TE: chunked",
    b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    b"Trailer: Content-Length\r\nTransfer-Encoding: chunked",
]

LENGTHS = [
    *_forms(b"Content-Length", b"5"),
    *(
        b"Content-Length: " + value
        for value in (
            *(
                b"+5",
                b"-5",
                b"-0",
                b"05",
                b"00000000000000000005",
                b"0x5",
                b"5.0",
                b"5e0",
                b"0b101",
            ),
            *(b"5_", b"_5", b"0_5", b"5 5", b"5, 0", b"0, 5", b"0,0", b"5,5,5", b"5;5", b"5=5"),
            *(b"18446744073709551621", b"4294967301", b"1e400", b"Infinity", b"NaN", b"None"),
            *(
                "\uff15".encode(),
                "\u0665".encode(),
                "5\u200b".encode(),
                b"5\xff",
                b"5\\r\\n",
                b"$5",
            ),
        )
    ),
    b"Content-Length: 0\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 0",
    b"Content-Length: 5\r\nX: a\r\ncontent-length: 6",
    b"Content-Length: 5\r\nContent_Length: 0",
    b"Content-Length: 5\r\nContent-Length:",
    b"Connection: Content-Length\r\nContent-Length: 5",
]

SIZES = [
    *(b"3", b"03", b"0000003", b"3 ", b" 3", b"3\t", b"\t3", b"+3", b"-3", b"0x3", b"0X3", b"3x"),
    *(b"3;", b"3;a", b"3;a=b", b'3;a="b;c"', b"3 ;a", b"3; a", b"3;a=b;c=d", b"3;\x00", b"3;\xff"),
    *(
        b"3;a\nb",
        b"3;a\rb",
        b"3;\n",
        b"3\n",
        b"3\r",
        b"3\r\r",
        b"3\x00",
        b"3\x0b",
        b"3_",
        b"_3",
        b"3g",
    ),
    *(b"g", b"", b"10000000000000003", b"fffffffffffffffd", b"100000003", b"3,3", b"3.0", b"3 3"),
    *("\u0663".encode(), "\uff13".encode(), b"3\r\n", b'3;a="\r\n"', b"3;" + b"a" * 300, b"3#a"),
    *(b"3\xa0", b"3\x85", b"3:", b"3:a", b"'3'", b"1\r\na\r\n2"),
]
ENDINGS = [b"\r\n", b"\n", b"\r", b"", b"\r\r\n", b" \r\n", b"XX", b"\x00\n", b"\r\n\r\n"]
LASTS = [
    *(b"0\r\n\r\n", b"00\r\n\r\n", b"000000000000000000\r\n\r\n", b"0;a=b\r\n\r\n", b"0 \r\n\r\n"),
    *(b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"0\r\r", b"0\r\n\r", b"-0\r\n\r\n", b"0x0\r\n\r\n"),
    *(b"0\r\nX: y\r\n\r\n", b"0\r\nX\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX: y\n\r\n"),
    *(b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n"),
    *(b"\r\n\r\n", b"\r\n0\r\n\r\n", b"0\r\n\r\n\r\n", b"0\r\n\r\n\n", b""),
]

FIRST_LINES = (
    [
        b"%s HTTP/1.1\r\n" % start
        for start in (
            *(b"POST /outer", b"POST  /outer", b"POST\t/outer", b"POST\x0b/outer", b" POST /outer"),
            *(
                b"\tPOST /outer",
                b"post /outer",
                b"Post /outer",
                b"POST\x00 /outer",
                b"PO\x00ST /outer",
            ),
            *(b"POST: /outer", b"P(ST /outer", b"POST /outer ", b"POST /outer\t", b"POST /ou ter"),
            *(b"POST /outer\x00", b"POST /outer\x01", b"POST /outer\x7f", b"POST /outer\x80"),
            *(b"POST /outer\xff", b"POST /outer\x85", b"POST /outer\xa0", b"POST /outer\x0c"),
            *(b"POST /outer#x", b"POST /outer?#x", b"POST /outer%0d%0aX:%20y", b"POST /outer%00"),
            *(
                b"POST http://hooks.example/outer",
                b"POST http://other.example/outer",
                b"POST HTTP://x/outer",
            ),
            *(
                b"POST http:///outer",
                b"POST //other.example/outer",
                b"POST outer",
                b"POST *",
                b"POST ?outer",
            ),
            *(
                b"POST hooks.example:80",
                b"POST http://a b/outer",
                b"POST http://a@b/outer",
                b"POST",
                b"",
            ),
            *(
                b"POST /outer HTTP/1.1 /inner",
                b"POST /outer\r",
                b"POST /outer\n",
                b"\r\nPOST /outer",
            ),
            *(b"\nPOST /outer", b"\rPOST /outer", b"\r\n\r\n\r\nPOST /outer", b"\x00POST /outer"),
            *(
                b"\xef\xbb\xbfPOST /outer",
                b"POST /\\outer",
                b"POST /outer;a",
                b"POST /../outer",
                b"GET /outer",
            ),
            *(
                b"HEAD /outer",
                b"PUT /outer",
                b"DELETE /outer",
                b"OPTIONS *",
                b"PATCH /outer",
                b"TRACE /outer",
            ),
            *(
                b"CONNECT a:1",
                b"QUERY /outer",
                b"PRI *",
                b"M-SEARCH /outer",
                b"A" * 200 + b" /outer",
            ),
        )
    ]
    + [
        b"POST /outer %s\r\n" % version
        for version in (
            *(
                b"HTTP/1.0",
                b"HTTP/0.9",
                b"HTTP/1.2",
                b"HTTP/1.10",
                b"HTTP/01.1",
                b"HTTP/2.0",
                b"HTTP/3",
            ),
            *(
                b"http/1.1",
                b"HTTP/1.1x",
                b"HTTP/1.1 ",
                b"HTTP/1,1",
                b"HTTP/1",
                b"HTTP",
                b"HTTP/-1.1",
                b"",
            ),
            *(
                b"HTTP/1.1\x00",
                b"HTTP/1.1\t",
                b"HTTP/1.1\r",
                b"HTTP/1.1\n",
                b"\tHTTP/1.1",
                b"HTTPS/1.1",
            ),
            *(
                b"HTTP /1.1",
                b"HTTP/ 1.1",
                b"HTTP/1. 1",
                "HTTP/\uff11.1".encode(),
                b"ICY/1.1",
                b"RTSP/1.0",
            ),
        )
    ]
    + [b"POST /outer\r\n", b"POST /outer", b"POST /outer HTTP/1.1\n", b"POST /outer HTTP/1.1\r"]
)

MORE_HEADERS = [
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    b"Upgrade: websocket\r\n",
    b"Connection: Upgrade\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: 100-Continue\r\n",
    b"Expect: 100-continue, x\r\n",
    b"Expect: 100-continue\r\nExpect: 100-continue\r\n",
    b"Expect: \r\n",
    b"Expect: 200-ok\r\n",
    b"Expect : 100-continue\r\n",
    b"Expect:\r\n 100-continue\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: close, keep-alive\r\n",
    b"Connection: keep-alive\r\nConnection: close\r\n",
    b"Connection: Host, Content-Length, Transfer-Encoding, Tiktok-Signature\r\n",
    b"Proxy-Connection: keep-alive\r\n",
    b"Keep-Alive: timeout=5, max=1\r\n",
    b"Host: other.example\r\n",
    b"Host : other.example\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Type: multipart/byteranges; boundary=a\r\n",
    b"X-HTTP-Method-Override: GET\r\n",
    b"TE: trailers\r\nTrailer: X\r\n",
    b"X: " + b"a" * 8000 + b"\r\n",
    b": empty\r\n",
    b"X\r\n",
    b"\x00X: y\r\n",
    b"X\xe9: y\r\n",
    b"X(: y\r\n",
    b"X: \x00\r\n",
    b"X: \x01\r\n",
    b"X: \xe9\r\n",
    b"X:\r\n\r\n",
    b"\r\n",
    b" \r\n",
    b"\n",
    b"\r",
]


def cases() -> Iterator[tuple[str, bytes]]:
    """Every case with a name: what a connection carries, from its first byte to its last."""
    start = b"POST /outer HTTP/1.1\r\n" + _HOST
    old = b"POST /outer HTTP/1.0\r\nConnection: keep-alive\r\n" + _HOST
    bodies = {"chunks": _CHUNKS, "last": _LAST, "text": b"abcde", "none": b""}
    lengths = [b"", b"Content-Length: 5\r\n", b"Content-Length: %d\r\n" % len(_CHUNKS + INNER)]
    for number, each in enumerate(ENCODINGS):
        for (at, length), (name, body), (version, head) in itertools.product(
            enumerate(lengths), bodies.items(), (("1.1", start), ("1.0", old))
        ):
            yield f"te{number}-cl{at}-{name}-{version}", head + length + each + b"\r\n\r\n" + body
            if length:
                yield (
                    f"te{number}-{at}cl-{name}-{version}",
                    head + each + b"\r\n" + length + b"\r\n" + body,
                )
    for number, each in enumerate(LENGTHS):
        for (name, body), other in itertools.product(
            bodies.items(), (b"", b"Transfer-Encoding: chunked\r\n")
        ):
            yield f"cl{number}-{name}-{len(other)}", start + other + each + b"\r\n\r\n" + body
            yield f"cl{number}-{name}-{len(other)}-old", old + other + each + b"\r\n\r\n" + body
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    for (number, size), (at, end), (which, last) in itertools.product(
        enumerate(SIZES), enumerate(ENDINGS), enumerate(LASTS)
    ):
        yield f"size{number}-end{at}-last{which}", chunked + size + b"\r\nabc" + end + last
    framings = {
        "none": b"\r\n",
        "length": b"Content-Length: 5\r\n\r\nabcde",
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
    }
    for number, first in enumerate(FIRST_LINES):
        for name, framing in framings.items():
            yield f"line{number}-{name}", first + _HOST + framing
            yield f"line{number}-{name}-nohost", first + framing
    for number, header in enumerate(MORE_HEADERS):
        for (name, framing), verb, edition in itertools.product(
            framings.items(), ("POST", "GET", "HEAD", "PUT"), ("1.1", "1.0")
        ):
            head = f"{verb} /outer HTTP/{edition}\r\n".encode()
            title = f"more{number}-{name}-{verb}-{edition}"
            yield title, head + _HOST + header + framing
            yield f"{title}-first", head + header + _HOST + framing


def single_cases() -> Iterator[tuple[str, bytes]]:
    """Those in which one thing alone is unusual."""
    start = b"POST /outer HTTP/1.1\r\n" + _HOST
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = b"Content-Length: 5\r\n\r\nabcde"
    kinds: list[tuple[str, list[bytes], Callable[[bytes], bytes]]] = [
        ("encoding", ENCODINGS, lambda each: start + each + b"\r\n\r\n" + _CHUNKS),
        ("look-alike", ENCODINGS, lambda each: start + each + b"\r\n" + whole),
        ("length", LENGTHS, lambda each: start + each + b"\r\n\r\nabcde"),
        ("size", SIZES, lambda each: chunked + each + b"\r\nabc\r\n" + _LAST),
        ("ending", ENDINGS, lambda each: chunked + b"3\r\nabc" + each + _LAST),
        ("last", LASTS, lambda each: chunked + b"3\r\nabc\r\n" + each),
        ("line", FIRST_LINES, lambda each: each + _HOST + whole),
        ("header", MORE_HEADERS, lambda each: start + each + whole),
    ]
    for name, given, make in kinds:
        for number, each in enumerate(given):
            yield f"{name}{number}", make(each)


@dataclass(frozen=True, slots=True)
class Reading:
    """The liberties that one parser takes; without any it is strict.

    Attributes:
        line_end: What ends a line of a head and a chunk's size.
        joins: Whether a line that begins with a blank continues the one before.
        trims: Characters that are ignored around a name and a value.
        hyphens: Characters in a name that are read as a hyphen.
        contains: Whether any encoding that contains ``chunked`` is chunked.
        length_first: Whether a length counts for more than an encoding.
        last_counts: Whether the last one of several headers counts.
        number: What is read of a length.
        size: What is read of a chunk's size.
    """

    line_end: bytes = rb"\r\n"
    joins: bool = False
    trims: bytes = b""
    hyphens: bytes = b"-"
    contains: bool = False
    length_first: bool = False
    last_counts: bool = False
    number: bytes = rb"[0-9]+\Z"
    size: bytes = rb"[0-9A-Fa-f]+[ \t]*(?:;.*)?\Z"

    def read(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Target and body of each request, up to the first one that it rejects or lacks."""
        found: list[tuple[bytes, bytes]] = []
        at = 0
        while (one := self._request(data, at)) is not None:
            target, body, at = one
            found.append((target, body))
        return found

    def _line(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        end = re.compile(self.line_end).search(data, at)
        return None if end is None else (data[at : end.start()], end.end())

    def _request(self, data: bytes, at: int) -> tuple[bytes, bytes, int] | None:
        line = self._line(data, at)
        while line is not None and not line[0]:
            line = self._line(data, line[1])
        if line is None:
            return None
        words = line[0].split(b" ")
        if len(words) != 3 or not re.fullmatch(rb"HTTP/1\.[01]", words[2]):
            return None
        headers: list[tuple[bytes, bytes]] = []
        while True:
            line = self._line(data, line[1])
            if line is None:
                return None
            if not line[0]:
                break
            if line[0][:1] in b" \t" and self.joins and headers:
                headers[-1] = (headers[-1][0], headers[-1][1] + b" " + line[0].strip())
                continue
            name, colon, value = line[0].partition(b":")
            name = name.strip(self.trims).lower() if self.trims else name.lower()
            name = re.sub(b"[" + re.escape(self.hyphens) + b"]", b"-", name)
            headers.append((name, value.strip(b" \t" + self.trims) if colon else b""))
        body = self._body(data, line[1], headers)
        return None if body is None else (words[1], *body)

    def _body(
        self, data: bytes, at: int, headers: list[tuple[bytes, bytes]]
    ) -> tuple[bytes, int] | None:
        pick = -1 if self.last_counts else 0
        encodings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
        lengths = [value for name, value in headers if name == b"content-length"]
        chunked = bool(encodings) and (
            b"chunked" in b",".join(encodings)
            if self.contains
            else encodings[pick].split(b",")[-1].strip() == b"chunked"
        )
        if chunked and not (self.length_first and lengths):
            return self._chunks(data, at)
        if not lengths:
            return b"", at
        number = re.match(self.number, lengths[pick])
        if number is None:
            return None
        end = at + int(number[0])
        return (data[at:end], end) if end <= len(data) else None

    def _chunks(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        body = b""
        while (line := self._line(data, at)) is not None:
            found = re.match(self.size, line[0], re.DOTALL)
            digits = None if found is None else re.search(rb"[0-9A-Fa-f]+", found[0])
            if digits is None:
                return None
            size, at = int(digits[0], 16), line[1]
            if size == 0:
                while (trailer := self._line(data, at)) is not None:
                    at = trailer[1]
                    if not trailer[0]:
                        return body, at
                return None
            if at + size > len(data):
                return None
            body += data[at : at + size]
            end = self._line(data, at + size)
            if end is None or end[0]:
                return None
            at = end[1]
        return None


_LIBERTIES: list[dict[str, object]] = [
    {"line_end": rb"\r?\n"},
    {"line_end": rb"\r\n|\r|\n"},
    {"line_end": rb"\r+\n"},
    {"joins": True},
    {"trims": b" \t"},
    {"trims": b" \t\x00\x0b\x0c\r\n\x7f\x85\xa0"},
    {"hyphens": b"-_. "},
    {"contains": True},
    {"length_first": True},
    {"last_counts": True},
    {"number": rb"[ \t]*\+?[0-9]+"},
    {"size": rb"[ \t]*\+?(?:0[xX])?[0-9A-Fa-f]+"},
]
READINGS = [
    Reading(**{**one, **other})  # type: ignore[arg-type]  # each has the type of its field
    for one, other in itertools.combinations_with_replacement([{}, *_LIBERTIES], 2)
]
"""The strict parser, and those with one or two liberties."""
