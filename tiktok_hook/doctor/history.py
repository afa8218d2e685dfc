"""The history: where it is, whether it can be written, whether it is intact."""

import os

from tiktok_hook import paths
from tiktok_hook.doctor.finding import Finding, bad, good
from tiktok_hook.doctor.machine import existing
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import in_thread
from tiktok_hook.errors import NoHistoryError, StoreError
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import words

_SECONDS = 4.0


async def database(subject: Subject) -> list[Finding]:
    """Whether the database can be written and is whole."""
    return [await in_thread(lambda: _database(subject))]


def _database(subject: Subject) -> Finding:
    from tiktok_hook.store import check_creatable, check_integrity, locate, open_history

    location = locate(subject.db, where="db")
    name = location.label
    try:
        state = check_integrity(location, seconds=_SECONDS)
        with open_history(location) as history:
            count = history.counts().received
    except NoHistoryError:
        try:
            check_creatable(location)
        except StoreError as error:
            found = f"there is none yet, and {error}".removesuffix(".")
            return bad("database", found, error.hint)
        return good("database", f"none yet; listen will make {name}")
    except StoreError as error:
        return bad("database", str(error).removesuffix("."), error.hint)
    if state.damage:
        return bad(
            "database",
            f"{name} is damaged: {visible(state.damage[:200])}",
            "Save what can be read with tiktok-hook export -o FILE, then move the file away.",
        )
    whole = "intact" if state.complete else f"intact as far as was read in {_SECONDS:.0f} s"
    stored = words.plural(count, "delivery", "deliveries")
    return good("database", f"{name}: writable, {whole}, {stored}")


async def state(_subject: Subject) -> list[Finding]:
    """Whether the state folder can be written to."""
    folder = paths.state_dir()
    there = existing(folder)
    if os.access(there, os.W_OK | os.X_OK):
        return [good("state-folder", f"{folder} can be written to")]
    return [
        bad(
            "state-folder",
            f"{there} cannot be written to",
            "Check its permissions, or set XDG_STATE_HOME to a folder of yours.",
        )
    ]
