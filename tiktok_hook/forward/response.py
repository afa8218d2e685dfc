"""Reads one HTTP/1 answer off a connection, with a bound on everything."""

import re
from dataclasses import dataclass

from tiktok_hook.delivery import Headers
from tiktok_hook.forward.connection import AppConnection

_READ_BYTES = 1 << 20
"""How much of a body is read before the connection is closed on an app with more to say."""

_HEAD_BYTES = 64 * 1024
_INTERIM_ANSWERS = 16

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?", re.DOTALL)
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_FRAMING = ("connection", "content-length", "transfer-encoding")
_LENGTH = re.compile(r"[0-9]{1,18}")


class FailedError(Exception):
    """Sending or answering failed; `word` is one of `Reply.error`."""

    def __init__(self, word: str, detail: str) -> None:
        super().__init__(detail)
        self.word = word


@dataclass(frozen=True, slots=True)
class AppResponse:
    """What came back.

    Attributes:
        status: From 200 to 599.
        headers: In order; bytes outside ASCII as Latin-1.
        body: Its beginning, not inflated.
        truncated: Whether there was more of it.
        reusable: Whether the connection can carry another request.
    """

    status: int
    headers: Headers
    body: bytes
    truncated: bool
    reusable: bool


@dataclass(slots=True)
class _Head:
    status: int
    headers: Headers
    minor_version: int

    def framing(self) -> dict[str, list[str]]:
        """Every element of the headers that say where the answer ends, in lower case."""
        found: dict[str, list[str]] = {name: [] for name in _FRAMING}
        for name, value in self.headers:
            elements = found.get(name.lower())
            if elements is not None:
                elements += [part.strip().lower() for part in value.split(",") if part.strip()]
        return found


async def read_answer(connection: AppConnection, method: str, keep_bytes: int) -> AppResponse:
    """Read the final answer to a request; interim ones (100, 103) are passed over.

    Args:
        connection: The request has been sent over it.
        method: Of the request: an answer to HEAD has no body.
        keep_bytes: How much of the body is kept.

    Raises:
        FailedError: What came is not HTTP/1.
        TooLongError: The head is longer than 64 KiB.
        EndedError: The connection ended before the answer did.
    """
    head = await _read_head(connection)
    framing = head.framing()
    body = _Body(connection, keep_bytes)
    whole, framed = True, True
    coding = framing["transfer-encoding"]
    lengths = set(framing["content-length"])
    if method == "HEAD" or head.status in {204, 304}:
        pass
    elif coding and coding[-1] == "chunked":
        whole = await body.read_chunks()
        framed = not lengths  # with both, which one is meant is anybody's guess
    elif lengths and not coding:
        length = lengths.pop()
        if lengths or not _LENGTH.fullmatch(length):
            raise FailedError("protocol", "the answer's Content-Length is not a number")
        whole = await body.read(int(length))
    else:
        await body.read(None)
        framed = False
    options = framing["connection"]
    stays = "close" not in options and (head.minor_version == 1 or "keep-alive" in options)
    return AppResponse(
        head.status, head.headers, bytes(body.kept), body.cut, whole and framed and stays
    )


class _Body:
    """Takes in a body and keeps its beginning."""

    def __init__(self, connection: AppConnection, keep_bytes: int) -> None:
        self._connection = connection
        self._keep_bytes = keep_bytes
        self._budget = max(_READ_BYTES, keep_bytes)
        self.kept = bytearray()
        self.cut = False

    async def read(self, length: int | None) -> bool:
        """Read `length` bytes, None up to the connection's end; False when that is too much."""
        left = length
        while left is None or left > 0:
            data = await self._connection.read_some(left, to_the_end=left is None)
            if not data:
                break
            room = self._keep_bytes - len(self.kept)
            self.kept += data[:room]
            self.cut = self.cut or len(data) > room
            self._budget -= len(data)
            if left is not None:
                left -= len(data)
            if self._budget < 0 and left != 0:
                return False
        return True

    async def read_chunks(self) -> bool:
        """Read a chunked body to its last chunk; False when that is too much."""
        while self._budget >= 0:
            found = _CHUNK_LINE.fullmatch(await self._connection.read_line(_HEAD_BYTES))
            if found is None:
                raise FailedError("protocol", "a chunk of the answer has no length")
            length = int(found[1], 16)
            if length == 0:
                await _read_headers(self._connection)  # trailers
                return True
            if not await self.read(length):
                return False
            if await self._connection.read_line(_HEAD_BYTES):
                raise FailedError("protocol", "a chunk of the answer is longer than it says")
        return False


async def _read_head(connection: AppConnection) -> _Head:
    for _ in range(_INTERIM_ANSWERS):
        line = await connection.read_line(_HEAD_BYTES)
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise FailedError("protocol", f"what answered does not speak HTTP/1: {line[:40]!r}")
        head = _Head(int(found[2]), await _read_headers(connection), int(found[1]))
        if head.status >= 200:
            return head
        if head.status == 101:
            break
    raise FailedError("protocol", "the app never came to its final answer")


async def _read_headers(connection: AppConnection) -> Headers:
    headers: list[tuple[str, str]] = []
    lines = (await connection.read_lines(_HEAD_BYTES, _check_line)).decode("latin-1")
    for whole in lines.split("\n") if lines else ():
        line = whole.removesuffix("\r")
        name, colon, value = line.partition(":")
        if line[:1] in " \t" and headers:  # a folded line, as old servers write them
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
        elif colon:
            headers.append((name.strip(), value.strip(" \t")))
        else:
            raise _no_header(line)
    return tuple(headers)


def _check_line(line: bytes) -> None:
    if b":" not in line and line[:1] not in b" \t":
        raise _no_header(line.decode("latin-1").removesuffix("\r"))


def _no_header(line: str) -> FailedError:
    return FailedError("protocol", f"a header without a colon: {line[:40]!r}")
