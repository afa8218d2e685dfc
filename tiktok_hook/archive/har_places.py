"""Where the entries of a HAR stand in its file, found without holding more than one of them."""

import re
from typing import BinaryIO, NamedTuple

from tiktok_hook.archive.fields import loads

_CHUNK = 1 << 18
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}\[\]]', re.DOTALL)
_PATH = (b'"log"', b'"entries"')


class Span(NamedTuple):
    """An entry's bytes in the file."""

    offset: int
    length: int


def find(stream: BinaryIO) -> list[Span] | None:
    """The entries in their order.

    Each still has to be parsed; everything around them has been.

    Args:
        stream: Seekable; read from its beginning.

    Returns:
        None when it is no plain HAR, perhaps not even JSON: whoever reads the whole learns why.
    """
    spans: list[Span] = []
    outside: list[bytes] = []  # the document with a 0 for each entry
    buffer, base, depth, key, lists = b"", 0, 0, b"", 0
    inside = [False, False]  # the log, its entries
    start = kept = 0  # in the file: of the entry, of what is outside and not yet taken
    stream.seek(0)
    # Reading as much again as is left makes a long string cost its length, not the square of it.
    while more := stream.read(max(_CHUNK, len(buffer))):
        buffer += more
        done = len(buffer)
        for token in _TOKEN.finditer(buffer):
            text = token[0]
            if text[:1] == b'"':
                if not token[1]:
                    done = token.start()
                    break
                if depth <= len(_PATH):
                    key = text
            elif text in b"{[":
                if depth == 1:
                    inside = [key == _PATH[0], False]
                elif depth == 2:
                    inside[1] = inside[0] and key == _PATH[1] and text == b"["
                    lists += inside[1]
                elif depth == 3 and inside[1]:
                    start = base + token.start()
                    outside += [buffer[max(kept - base, 0) : token.start()], b"0"]
                depth += 1
            else:
                depth -= 1
                if depth == 3 and inside[1]:
                    kept = base + token.end()
                    spans.append(Span(start, kept - start))
        if not (depth > 3 and inside[1]):
            outside.append(buffer[max(kept - base, 0) : done])
            kept = base + done
        buffer, base = buffer[done:], base + done
    outside.append(buffer)
    return spans if lists == 1 and _holds(b"".join(outside), len(spans)) else None


def _holds(outside: bytes, count: int) -> bool:
    """Whether what is around the entries is a HAR with so many of them."""
    try:
        document = loads(outside.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return False
    log = document.get("log") if isinstance(document, dict) else None
    return isinstance(log, dict) and log.get("entries") == [0] * count
