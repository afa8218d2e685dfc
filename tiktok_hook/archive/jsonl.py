"""JSON Lines: the one shape of a delivery and of an attempt, a line each, nothing lost."""

from collections.abc import Iterable, Iterator

from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import attempt_json, delivery_json, dump


def write(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Lines with ``type`` = ``delivery``, each followed by those of its attempts."""
    for entry in entries:
        yield dump({"type": "delivery", **delivery_json(entry.delivery)}) + b"\n"
        for attempt in entry.attempts:
            yield dump({"type": "attempt", **attempt_json(attempt)}) + b"\n"
