"""The history: where it is, whether it can be written, whether it is intact."""

import os

from tiktok_hook import paths
from tiktok_hook.doctor.finding import CheckStatus, Finding, bad, good, warning
from tiktok_hook.doctor.machine import existing
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import in_thread
from tiktok_hook.errors import NoHistoryError, StoreError
from tiktok_hook.sanitize import visible
from tiktok_hook.store import (
    Location,
    ServerReport,
    check_creatable,
    check_integrity,
    locate,
    open_history,
    report_server,
)
from tiktok_hook.terminal import words

_SECONDS = 4.0


async def database(subject: Subject) -> list[Finding]:
    """Whether the database can be written and is whole; of a server also what it is like."""
    location = locate(subject.db, where="db")
    found = [await in_thread(lambda: _database(location))]
    if location.is_shared and found[0].status is not CheckStatus.FAIL:
        found += await in_thread(lambda: _server(location))
    return found


def _server(location: Location) -> list[Finding]:
    """What a shared history's server is like, seen from here."""
    try:
        found = report_server(location)
    except StoreError as error:
        return [bad("database-server", str(error).removesuffix("."), error.hint)]
    encryption = "encrypted" if found.encrypted else "not encrypted"
    place = f"PostgreSQL {found.version}, {encryption}, {found.round_trip_ms:.1f} ms away"
    findings = []
    if not (found.encrypted or found.local):
        hint = "Append ?sslmode=verify-full to the URL, and turn TLS on there."
        findings.append(warning("database-server", place, hint))
    elif found.is_far:
        hint = "TikTok waits for it with every delivery; use a server that is nearer."
        findings.append(warning("database-server", place, hint))
    else:
        findings.append(good("database-server", place))
    if found.rights is not None:
        findings.append(_rights(found))
    if found.hears:
        findings.append(good("database-changes", "new deliveries are seen at once"))
    else:
        why = "does not pass notifications on" if found.direct else "is a pooler's"
        findings.append(
            warning(
                "database-changes",
                f"the address {why}: new deliveries are seen up to 5 s late",
                "Use the server's direct address.",
            )
        )
    if found.clock_is_off:
        findings.append(
            warning(
                "database-clock",
                f"this machine's clock is {found.clock_seconds:+.1f} s from the server's",
                "Let both machines set their clocks by themselves (NTP).",
            )
        )
    return findings


def _rights(report: ServerReport) -> Finding:
    """What the database user may do."""
    user = visible(report.user)
    if report.rights == "none":
        hint = "Let the owner run: tiktok-hook team add"
        return warning("database-rights", f"{user} has no role in this history", hint)
    allowed = {
        "owner": "owns the history, and may do everything",
        "listener": "may receive, import, attach and replay (role listener)",
        "developer": "may read, attach and replay, and not receive (role developer)",
    }
    return good("database-rights", f"{user} {allowed[report.rights or 'none']}")


def _database(location: Location) -> Finding:
    name = location.label
    try:
        state = check_integrity(location, seconds=_SECONDS)
        with open_history(location) as history:
            count = history.count()
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
    stored = words.plural(count, "delivery", "deliveries")
    if location.is_shared:
        return good("database", f"{name}: writable, {stored}")
    whole = "intact" if state.complete else f"intact as far as was read in {_SECONDS:.0f} s"
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
