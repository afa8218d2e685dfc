"""Reads one HTTP/1 response from a connection, within limits."""

from dataclasses import dataclass

import httptools

from tiktok_hook.delivery import Headers
from tiktok_hook.forward.connection import AppConnection

_READ_BYTES = 1 << 20
"""Maximum size of a body that is read; after that the connection is closed."""

_HEAD_BYTES = 64 * 1024
"""Maximum size of the status line and headers of a response, including interim responses."""

_INTERIM_RESPONSES = 16
_QUOTED_BYTES = 40
_VERSION = b"HTTP/1."


class FailedError(Exception):
    """Sending or responding failed; `word` is a value of `Reply.error`."""

    def __init__(self, word: str, detail: str) -> None:
        super().__init__(detail)
        self.word = word


class TooLongError(Exception):
    """The head of a response is longer than 64 KiB."""


@dataclass(frozen=True, slots=True)
class AppResponse:
    """The final response to a request.

    Attributes:
        status: From 200 to 599.
        headers: In order; bytes outside ASCII as Latin-1.
        body: The beginning of the body, not decompressed.
        truncated: True if the body was longer than what is kept.
        reusable: True if the connection can carry another request.
    """

    status: int
    headers: Headers
    body: bytes
    truncated: bool
    reusable: bool


async def read_response(connection: AppConnection, method: str, keep_bytes: int) -> AppResponse:
    """Read the final response to a request; interim ones (100, 103) are skipped.

    Args:
        connection: The request has been sent over it.
        method: Of the request: a response to HEAD has no body.
        keep_bytes: Number of body bytes to keep.

    Raises:
        FailedError: The response is not HTTP/1.
        TooLongError: The head is longer than 64 KiB.
        EndedError: The connection ended before the response did.
        TimeoutError: The connection's `time_out` was called first.
    """
    reader = _Reader(method, keep_bytes)
    while not reader.complete:
        data = await connection.read(at_end=reader.ends_with_connection)
        if not data:
            return reader.response(reusable=False)
        reader.feed(data)
    return reader.response(reusable=reader.reusable)


class _Reader:
    """Collects what the parser reports about one response.

    httptools calls the ``on_`` methods during `feed`. One parser serves one response: a byte after
    the final response makes the connection unusable.
    """

    def __init__(self, method: str, keep_bytes: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        # Folded headers, LF line ends, a length together with chunks: old and hand-written servers.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_chunked_length=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._is_head = method == "HEAD"
        self._keep_bytes = keep_bytes
        self._head_budget = _HEAD_BYTES
        self._body_bytes = 0
        self._interim = 0
        self._beginning = b""
        self._headers: list[tuple[str, str]] = []
        self._in_body = False
        self._kept = bytearray()
        self._truncated = False
        self._status = 0
        self.complete = False
        self.reusable = False
        self.ends_with_connection = False

    def feed(self, data: bytes) -> None:
        """Parse more bytes."""
        if len(self._beginning) < _QUOTED_BYTES:
            self._beginning += data[: _QUOTED_BYTES - len(self._beginning)]
            seen = self._beginning.lstrip(b"\r\n")[: len(_VERSION)]
            if seen != _VERSION[: len(seen)]:
                raise self._not_http()
        body_bytes = self._body_bytes
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # 101
            raise FailedError("protocol", "the app switched to another protocol") from None
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self.complete:
                raise _malformed(error) from error
            self.reusable = False
        # Everything but the body counts as head: also trailers, and junk in chunk lines.
        if self._body_bytes == body_bytes:
            self._head_budget -= len(data)
            if self._head_budget < 0 and not self.complete:
                raise TooLongError

    def response(self, *, reusable: bool) -> AppResponse:
        """The response as far as it was read."""
        return AppResponse(
            self._status, tuple(self._headers), bytes(self._kept), self._truncated, reusable
        )

    def _not_http(self) -> FailedError:
        shown = self._beginning.splitlines()[0] if self._beginning.strip() else self._beginning
        return FailedError("protocol", f"what answered does not speak HTTP/1: {shown!r}")

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete and not self._in_body:  # after a chunked body: trailers
            self._headers.append((name.decode("latin-1"), value.rstrip(b" \t").decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self._status = self._parser.get_status_code()
        if not 100 <= self._status <= 599:
            raise FailedError("protocol", f"{self._status} is not an HTTP status")
        if self._status < 200:
            return
        self._in_body = True
        codings = self._elements("transfer-encoding")
        lengths = self._elements("content-length")
        self.ends_with_connection = codings[-1:] != ["chunked"] and (bool(codings) or not lengths)
        if self._is_head or self._status in {204, 304}:
            self.ends_with_connection = False
        # With both, a proxy in between may use the other one, so the connection is not kept. Nor is
        # it after a response without a body, if an app may send one by mistake: that would be read
        # as the next response.
        bodiless = self._is_head or (self._status in {204, 304} and bool(codings or lengths))
        self.reusable = not (codings and lengths) and not bodiless
        if self._is_head:
            self._finish()

    def on_body(self, data: bytes) -> None:
        if self.complete:
            self.reusable = False
            return
        room = self._keep_bytes - len(self._kept)
        self._kept += data[:room]
        self._truncated = self._truncated or len(data) > room
        self._body_bytes += len(data)
        if self._body_bytes > max(_READ_BYTES, self._keep_bytes):
            self.complete, self.reusable = True, False

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if self._status < 200:
            self._interim += 1
            if self._interim == _INTERIM_RESPONSES:
                raise FailedError("protocol", "the app sent only interim responses")
            self._headers.clear()
        else:
            self._finish()

    def _finish(self) -> None:
        self.complete = True
        self.reusable = self.reusable and self._keeps_alive()

    def _keeps_alive(self) -> bool:
        options = self._elements("connection")
        version = self._parser.get_http_version()
        return "close" not in options and (version == "1.1" or "keep-alive" in options)

    def _elements(self, wanted: str) -> list[str]:
        """The elements of a comma-separated header, in lower case."""
        return [
            part.strip().lower()
            for name, value in self._headers
            if name.lower() == wanted
            for part in value.split(",")
            if part.strip()
        ]


def _malformed(error: Exception) -> FailedError:
    words = str(error)
    return FailedError("protocol", f"the response is malformed: {words[:1].lower()}{words[1:]}")
