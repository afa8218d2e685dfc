"""What TikTok sends: the envelope read, and the catalogue of every known event."""

from tiktok_hook.events.catalogue import (
    CATALOGUE,
    Confidence,
    EventType,
    Field,
    fits_known,
    kind_of,
    nearest,
    sample,
    samples,
)
from tiktok_hook.events.envelope import Event, meaning, parse, summary
from tiktok_hook.exact_json import Json, dumps, loads

__all__ = [
    "CATALOGUE",
    "Confidence",
    "Event",
    "EventType",
    "Field",
    "Json",
    "dumps",
    "fits_known",
    "kind_of",
    "loads",
    "meaning",
    "nearest",
    "parse",
    "sample",
    "samples",
    "summary",
]
