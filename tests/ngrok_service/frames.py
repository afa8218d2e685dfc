"""Muxado frames: bytes in, frames out. No I/O."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER_BYTES = 8
WINDOW_BYTES = 262_144
"""Credit each direction of a stream starts with, and the largest body of one frame."""

FIN = 0x1
SYN = 0x2


class Kind(IntEnum):
    RST = 0
    DATA = 1
    WNDINC = 2
    GOAWAY = 3


class Code(IntEnum):
    """Why a stream was reset or a connection given up."""

    NONE = 0
    PROTOCOL = 1
    INTERNAL = 2
    FLOW_CONTROL = 3
    STREAM_CLOSED = 4
    STREAM_REFUSED = 5
    STREAM_CANCELLED = 6
    FRAME_SIZE = 8


class FrameError(Exception):
    """The peer sent an invalid frame; nothing after it can be read either."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Frame:
    kind: Kind
    flags: int
    stream_id: int
    body: bytes


def encode(kind: Kind, stream_id: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Return one frame: 24 bits of length, 4 of kind, 4 of flags, 32 of stream id, the body."""
    return struct.pack(">II", len(body) << 8 | kind << 4 | flags, stream_id) + body


class Decoder:
    """Cuts a stream of bytes into frames, however the bytes were split on their way."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that data completes.

        Raises:
            FrameError: An unknown kind, or a body larger than a window.
        """
        unread = self._unread
        unread += data
        start = 0
        try:
            while len(unread) - start >= HEADER_BYTES:
                word, stream_id = struct.unpack_from(">II", unread, start)
                length, kind, flags = word >> 8, word >> 4 & 0xF, word & 0xF
                if kind > Kind.GOAWAY:
                    raise FrameError(Code.PROTOCOL, f"frame of unknown kind {kind}")
                if length > WINDOW_BYTES:
                    raise FrameError(Code.FRAME_SIZE, f"frame of {length} bytes")
                end = start + HEADER_BYTES + length
                if len(unread) < end:
                    return
                body = bytes(unread[start + HEADER_BYTES : end])
                start = end
                yield Frame(Kind(kind), flags, stream_id & 0x7FFF_FFFF, body)
        finally:
            del unread[:start]
