"""Every webhook event that TikTok is known to send, by name.

Each one carries a mark: documented by TikTok, seen in published captures of real deliveries, or
inferred. Samples are ours, in the documented envelope, with invented identifiers.
"""

from collections.abc import Mapping
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType

from tiktok_hook.events import business, developers
from tiktok_hook.events.event_type import EventType

CATALOGUE: Mapping[str, EventType] = MappingProxyType(
    {kind.name: kind for kind in (*developers.EVENT_TYPES, *business.EVENT_TYPES)}
)
"""All known events by name, in the order people meet them."""

# TikTok for Developers documents the misspelling; TikTok's Business API has the other one.
_OTHER_SPELLINGS = {
    "post.publish.no_longer_publicly_available": "post.publish.no_longer_publicaly_available"
}


def kind_of(name: str) -> EventType | None:
    """What is known about an event, under either spelling; None for an unknown one."""
    kind = CATALOGUE.get(name)
    return CATALOGUE.get(_OTHER_SPELLINGS.get(name, "")) if kind is None else kind


def fits_known(glob: str) -> bool:
    """Whether a glob matches any known event, under either spelling."""
    return any(fnmatchcase(name, glob) for name in (*CATALOGUE, *_OTHER_SPELLINGS))


@lru_cache(256)
def spellings(glob: str) -> tuple[str, ...]:
    """The glob, and the other spelling of each event that it matches and that has two."""
    found = [glob]
    for pair in _OTHER_SPELLINGS.items():
        for name, other in (pair, pair[::-1]):
            if fnmatchcase(name, glob) and not fnmatchcase(other, glob):
                found.append(other)
    return tuple(found)


def matching(glob: str) -> list[EventType]:
    """The known events whose name matches a glob, under either spelling, each once."""
    names = [name for name in (*CATALOGUE, *_OTHER_SPELLINGS) if fnmatchcase(name, glob)]
    found = dict.fromkeys(_OTHER_SPELLINGS.get(name, name) for name in names)
    return [CATALOGUE[name] for name in found]


def sample(name: str) -> bytes:
    """A body of this event as TikTok would send it, spelled as documented.

    Raises:
        KeyError: Unknown event; its note has the nearest ones.
    """
    kind = kind_of(name)
    if kind is None:
        error = KeyError(name)
        if near := nearest(str(name)):
            error.add_note(f"Hint: Did you mean {' or '.join(near)}?")
        raise error
    return kind.sample.encode()


def samples() -> Mapping[str, bytes]:
    """One body of every known event, by name."""
    return {name: kind.sample.encode() for name, kind in CATALOGUE.items()}


def nearest(name: str) -> list[str]:
    """Known events that are spelled similarly, likeliest first, at most 3."""
    wanted = name[:100].lower()
    scored = []
    for known in CATALOGUE:
        score = SequenceMatcher(None, wanted, known).ratio()
        if wanted and wanted in known:
            score += 1
        scored.append((-score, known))
    return [known for score, known in sorted(scored) if score <= -0.6][:3]
