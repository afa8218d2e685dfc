"""What TikTok sends: the envelope read, and the catalogue of every known event."""

from tiktok_hook.events.catalogue import (
    CATALOGUE,
    fits_known,
    kind_of,
    matching,
    nearest,
    sample,
    samples,
    spellings,
)
from tiktok_hook.events.differences import Difference, differences
from tiktok_hook.events.envelope import Event, meaning, parse, summary
from tiktok_hook.events.event_type import Confidence, EventType, Fact, Field, Value
from tiktok_hook.events.platforms import platform_of
from tiktok_hook.exact_json import Json, dumps, loads

__all__ = [
    "CATALOGUE",
    "Confidence",
    "Difference",
    "Event",
    "EventType",
    "Fact",
    "Field",
    "Json",
    "Value",
    "differences",
    "dumps",
    "fits_known",
    "kind_of",
    "loads",
    "matching",
    "meaning",
    "nearest",
    "parse",
    "platform_of",
    "sample",
    "samples",
    "spellings",
    "summary",
]
