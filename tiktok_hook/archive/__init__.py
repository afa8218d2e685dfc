"""Deliveries out of a history and into one: JSON Lines, HAR, a curl script, a pytest module."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from tiktok_hook.archive.capture import Capture, ImportOptions, load
from tiktok_hook.archive.entry import Entry, entries
from tiktok_hook.archive.importing import ImportResult, import_into
from tiktok_hook.archive.redact import redacted
from tiktok_hook.archive.source_file import SourceFile, opened

__all__ = [
    "FORMATS",
    "Capture",
    "Entry",
    "Format",
    "ImportOptions",
    "ImportResult",
    "SourceFile",
    "entries",
    "import_into",
    "load",
    "opened",
    "redacted",
    "write",
]

Format: TypeAlias = Literal["jsonl", "har", "curl", "pytest"]
FORMATS: tuple[Format, ...] = ("jsonl", "har", "curl", "pytest")


def write(
    entries: Iterable[Entry], form: Format, *, name: str = "test_tiktok_webhooks.py"
) -> Iterator[bytes]:
    """The pieces of an export; joined, or written one after the other, they are the file.

    Args:
        entries: Deliveries with their attempts. JSON Lines and HAR hold both and can be loaded
            again; a curl script and a pytest module send the deliveries.
        form: Which format.
        name: What the file is called, for a pytest module's own words.
    """
    from tiktok_hook.archive import curl, har, jsonl, pytest_module

    entries = (each.without_own_cookies() for each in entries)
    if form == "jsonl":
        return jsonl.write(entries)
    if form == "har":
        return har.write(entries)
    return curl.write(entries) if form == "curl" else pytest_module.write(entries, name)
