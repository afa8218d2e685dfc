"""The table of cases, in the order they are played."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tiktok_hook.audit.accepted import ACCEPTED, BUSINESS
from tiktok_hook.audit.case import Case, Expected
from tiktok_hook.audit.rejected import REJECTED
from tiktok_hook.errors import UsageError

CHALLENGE = "tiktok-hook-challenge-7302"

_HANDSHAKE = (
    "TikTok has no handshake and never asks, so this proves nothing to it; and anybody can make "
    "the app's own address show a text of theirs."
)
_META = "The route was copied from a handler for Meta's webhooks: take its GET out."

IGNORED: tuple[Case, ...] = (
    Case(
        id="get",
        title="a GET, as a browser or a health check sends it",
        expected=Expected.IGNORED,
        build=lambda kit: [kit.get()],
        means=_HANDSHAKE,
        likely=_META,
    ),
    Case(
        id="get-challenge",
        title="a GET with a challenge, as other platforms send it",
        expected=Expected.IGNORED,
        build=lambda kit: [
            kit.get(
                f"hub.mode=subscribe&hub.verify_token=x&hub.challenge={CHALLENGE}"
                f"&challenge={CHALLENGE}"
            )
        ],
        means=_HANDSHAKE,
        likely=_META,
    ),
)

CASES: tuple[Case, ...] = (*ACCEPTED, *REJECTED, *IGNORED)
"""What is run if no case is named."""

ALL_CASES: tuple[Case, ...] = (*CASES, *BUSINESS)
"""The cases that are run on request only, too."""


def select(globs: Sequence[str]) -> tuple[Case, ...]:
    """The cases whose id matches one of the globs, in their order; `CASES` without globs.

    Raises:
        UsageError: A glob matches none.
    """
    for glob in globs:
        if not any(fnmatchcase(case.id, glob) for case in ALL_CASES):
            raise UsageError(
                f"No case of the audit is called {glob!r}.",
                hint="tiktok-hook audit --list shows their names; * stands for anything.",
            )
    if not globs:
        return CASES
    return tuple(case for case in ALL_CASES if any(fnmatchcase(case.id, glob) for glob in globs))
