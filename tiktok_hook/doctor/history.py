"""The history: where it is, whether it can be written, whether it is intact."""

import os

from tiktok_hook import paths
from tiktok_hook.doctor.finding import Finding, bad, good
from tiktok_hook.doctor.machine import existing
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import in_thread
from tiktok_hook.errors import StoreError
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import words

_SECONDS = 4.0


async def database(subject: Subject) -> list[Finding]:
    """Whether the database can be written and is whole."""
    return [await in_thread(lambda: _database(subject))]


def _database(subject: Subject) -> Finding:
    path = subject.db
    if not path.exists():
        folder = existing(path.parent)
        if not os.access(folder, os.W_OK | os.X_OK):
            return bad(
                "database",
                f"there is none yet, and {folder} cannot be written to",
                "Check its permissions, or name another place with --db PATH.",
            )
        return good("database", f"none yet; listen will make {path}")
    from tiktok_hook.store import check_integrity, open_history

    try:
        state = check_integrity(path, seconds=_SECONDS)
        with open_history(path) as history:
            count = history.counts().received
    except StoreError as error:
        return bad("database", str(error).removesuffix("."), error.hint)
    if state.damage:
        return bad(
            "database",
            f"{path} is damaged: {visible(state.damage[:200])}",
            "Save what can be read with tiktok-hook export -o FILE, then move the file away.",
        )
    whole = "intact" if state.complete else f"intact as far as was read in {_SECONDS:.0f} s"
    stored = words.plural(count, "delivery", "deliveries")
    return good("database", f"{path}: writable, {whole}, {stored}")


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
