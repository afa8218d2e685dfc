"""HTTP/1.1 messages as a proxy sees them: heads parsed, bodies cut out of the bytes."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

MAX_HEAD_BYTES = 65_536
CHUNK_BYTES = 65_536

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?\r?\n", re.DOTALL)


class MessageError(Exception):
    """The bytes are not an HTTP/1.1 message that a proxy could forward."""


class Source(Protocol):
    async def read(self, n: int) -> bytes: ...
    async def readexactly(self, n: int) -> bytes: ...
    async def readuntil(self, separator: bytes) -> bytes: ...


@dataclass(slots=True)
class Head:
    """The start line and the headers, in order and as spelt."""

    start: bytes
    headers: list[tuple[bytes, bytes]]

    def get(self, name: str) -> str | None:
        """Return a header's values joined by commas, None when it is absent."""
        wanted = name.lower().encode()
        values = [value for header, value in self.headers if header.lower() == wanted]
        return b", ".join(values).decode("latin-1") if values else None

    def remove(self, name: str) -> None:
        wanted = name.lower().encode()
        self.headers = [pair for pair in self.headers if pair[0].lower() != wanted]

    def put(self, name: str, value: str) -> None:
        self.remove(name)
        self.headers.append((name.encode(), value.encode("latin-1")))

    def wants(self, option: str) -> bool:
        """Whether the Connection header lists option."""
        listed = (self.get("Connection") or "").lower().split(",")
        return option in [part.strip() for part in listed]

    def encode(self) -> bytes:
        lines = [self.start, *(name + b": " + value for name, value in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    @property
    def method(self) -> str:
        return self.start.split(b" ", 1)[0].decode("latin-1")

    @property
    def status(self) -> int:
        """The status of an answer's head."""
        return int(self.start.split(b" ", 2)[1])


async def read_head(source: Source, first: bytes = b"") -> Head | None:
    """Read a head, of which first was read already; None when the source ended before it.

    Raises:
        MessageError: It is too long, cut short or malformed.
    """
    try:
        raw = first + await source.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise MessageError("the head is cut short") from error
    except asyncio.LimitOverrunError as error:
        raise MessageError("the head is too long") from error
    if len(raw) > MAX_HEAD_BYTES:
        raise MessageError("the head is too long")
    start, *lines = raw[:-4].lstrip(b"\r\n").split(b"\r\n")
    if len(start.split(b" ", 2)) < 2 or b"HTTP/1." not in start:
        raise MessageError("the start line is not HTTP/1")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name):
            raise MessageError("a header line is malformed")
        headers.append((name, value.strip(b" \t")))
    return Head(start, headers)


def body_length(head: Head) -> int | None:
    """Return the number of bytes in the body, None when it is chunked, -1 without either.

    Raises:
        MessageError: The framing is contradictory or unknown.
    """
    coding = head.get("Transfer-Encoding")
    length = head.get("Content-Length")
    if coding is not None:
        if coding.strip().lower() != "chunked" or length is not None:
            raise MessageError("the body's framing is unclear")
        return None
    if length is None:
        return -1
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise MessageError("the Content-Length is no number")
    return int(length)


async def read_sized(source: Source, length: int) -> AsyncIterator[bytes]:
    """Yield exactly length bytes in pieces; raises ``asyncio.IncompleteReadError``."""
    while length:
        data = await source.read(min(length, CHUNK_BYTES))
        if not data:
            raise asyncio.IncompleteReadError(b"", length)
        length -= len(data)
        yield data


async def read_to_end(source: Source) -> AsyncIterator[bytes]:
    """Yield all there is."""
    while data := await source.read(CHUNK_BYTES):
        yield data


async def read_chunked(source: Source, *, decode: bool) -> AsyncIterator[bytes]:
    """Yield a chunked body: its data alone with decode, otherwise every byte as it came.

    Raises:
        MessageError: It is not a chunked body.
    """
    size = -1
    while size:
        line = await _line(source)
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise MessageError("a chunk's size is malformed")
        size = int(match[1], 16)
        if not decode:
            yield line
        if size:
            async for data in read_sized(source, size):
                yield data
            if (end := await source.readexactly(2)) != b"\r\n":
                raise MessageError("a chunk does not end where it should")
            if not decode:
                yield end
    while True:
        line = await _line(source)  # trailers, and the empty line that ends them
        if not decode:
            yield line
        if line in {b"\r\n", b"\n"}:
            return


async def _line(source: Source) -> bytes:
    try:
        return await source.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise MessageError("a line in the body is too long") from error


def canonical(name: bytes) -> bytes:
    """Return a header's name as Go's HTTP library spells it: ``Tiktok-Signature``."""
    return b"-".join(part.capitalize() for part in name.split(b"-"))
