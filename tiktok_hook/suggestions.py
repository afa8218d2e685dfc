"""Suggests what a mistyped word, or the call of a module, probably meant."""

import sys
from collections.abc import Collection
from types import ModuleType
from typing import NoReturn

_MAX_CHARACTERS = 100
_CUTOFF = 0.6


def nearest(word: str, known: Collection[str], *, count: int = 2) -> list[str]:
    """Return the known words that are spelled similarly, the most likely first.

    Args:
        word: As typed; only its first 100 characters are compared.
        known: The words that would have been understood.
        count: Maximum number of suggestions.
    """
    import difflib

    start = word[:_MAX_CHARACTERS].lower()
    spelled = {each.lower(): each for each in known}
    found = difflib.get_close_matches(start, spelled, n=count, cutoff=_CUTOFF)
    # `aud` is too short to resemble `audit`, and still shows which one is meant.
    begun = [each for each in spelled if len(start) > 1 and each.startswith(start)]
    return [spelled[each] for each in dict.fromkeys([*begun, *found])][:count]


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a hint, ``Did you mean audit?``; empty if no known word is similar."""
    found = nearest(word, known)
    return f"Did you mean {' or '.join(found)}?" if found else ""


class _NotCallable(ModuleType):
    """A module whose call names the function that is meant."""

    _instead = ""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{self.__name__} is a module. {self._instead}")


def explain_call(module: str, instead: str) -> None:
    """Make the call of a module, which a user may take for a function, a clear `TypeError`.

    Args:
        module: Its ``__name__``.
        instead: What to call, as a sentence.
    """
    found = sys.modules[module]
    found.__class__ = _NotCallable
    vars(found)["_instead"] = instead
