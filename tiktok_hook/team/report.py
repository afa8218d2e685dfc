"""The team of a shared history as text and as JSON."""

from typing import Any

from tiktok_hook.sanitize import visible
from tiktok_hook.store.team_records import Creation, Login, Member, Overview
from tiktok_hook.terminal import words

CLOCK_SECONDS = 2.0
"""A clock that is further from the server's than this is pointed out."""


def creation_lines(creation: Creation, label: str) -> list[str]:
    """What `team create` did."""
    what = "Created the shared history at" if creation.made else "Brought up to date:"
    roles = {role: visible(name) for role, name in creation.roles.items()}
    lines = [
        f"{what} {label}, owned by {creation.owner}.",
        f"It keeps {_kept(creation.keep, creation.keep_bytes)}.",
        f"Roles: {roles['listener']} receives, {roles['developer']} reads and attaches.",
    ]
    if creation.new_owner is not None:
        lines += ["", *login_lines(creation.new_owner, "owner")]
    return lines


def login_lines(login: Login, role: str) -> list[str]:
    """What to hand out to a new user: the only time that the password is shown."""
    lines = [f"{login.name}, {role}", f"  --db {login.url}"]
    if login.passfile_line is None:
        lines.append(f"  {login.name} existed before: the password is unchanged.")
    else:
        lines += [
            f"  {login.passfile_line}",
            "The last line is for ~/.pgpass (mode 0600); the password in it is shown only now.",
        ]
    return lines


def overview_lines(overview: Overview) -> list[str]:
    """What `team status` prints."""
    way = "directly" if overview.direct else "through a pooler"
    if not overview.hears:
        way += ", without notifications"
    encryption = "encrypted" if overview.encrypted else "not encrypted"
    lines = [
        f"{overview.label}: PostgreSQL {overview.server_version}, connected {way}, {encryption}",
        f"history of version {overview.schema_version}, owned by {overview.owner}; "
        f"{words.count(overview.kept)} of at most "
        f"{_kept(overview.keep, overview.keep_bytes)}, newest #{overview.newest_id}",
    ]
    listeners = [each for each in overview.members if each.kind == "listen"]
    attached = [each for each in overview.members if each.cursor is not None]
    others = [each for each in overview.members if each not in listeners + attached]
    lines += ["", "Listeners:", *(_lines_of(listeners) or ["  none is running"])]
    lines += ["", "Attached apps:", *(_attached_lines(attached) or ["  none"])]
    if others:
        lines += ["", "Other programs:", *_lines_of(others)]
    return lines


def overview_json(overview: Overview) -> dict[str, Any]:
    """What `team status --json` prints."""
    return {
        "database": overview.label,
        "server_version": overview.server_version,
        "schema_version": overview.schema_version,
        "direct": overview.direct,
        "notifications": overview.hears,
        "encrypted": overview.encrypted,
        "owner": overview.owner,
        "keep": overview.keep,
        "keep_bytes": overview.keep_bytes,
        "deliveries": overview.kept,
        "newest_id": overview.newest_id,
        "epoch": overview.epoch,
        "members": [
            {
                "app": each.app,
                "role": each.role,
                "kind": each.kind,
                "running": each.running,
                "host": each.host,
                "pid": each.pid,
                "program": each.program,
                "direct": each.direct,
                "clock_seconds": _rounded(each.clock_seconds),
                "silent_seconds": _rounded(each.silent_seconds),
                "cursor": each.cursor,
                "behind": each.behind,
                "queued": each.queued,
                "target": each.target,
                "filter": each.filter,
            }
            for each in overview.members
        ],
    }


def _lines_of(members: list[Member]) -> list[str]:
    return [f"  {_process(each)}" for each in members]


def _attached_lines(members: list[Member]) -> list[str]:
    lines = []
    for each in members:
        left = words.plural(each.behind, "delivery", "deliveries")
        lag = f"{left} behind" if each.behind else "up to date"
        if each.queued:
            lag += f", {words.count(each.queued)} queued"
        lines += [
            f"  {_process(each)}",
            f"    at #{each.cursor}, {lag}; to {visible(each.target)}"
            + (f", only {visible(each.filter)}" if each.filter else ""),
        ]
    return lines


def _process(member: Member) -> str:
    name = visible(member.app)
    if member.role is not None:
        name += f" ({visible(member.role)})"
    place = f"{visible(member.host)}, process {member.pid}"
    if not member.running:
        return f"{name}: not running for {words.duration(member.silent_seconds)}, was on {place}"
    line = f"{name}: on {place}, tiktok-hook {visible(member.program or '')}"
    if member.direct is False:
        line += ", through a pooler"
    if member.clock_seconds is not None:
        line += f", clock {member.clock_seconds:+.1f} s"
        if abs(member.clock_seconds) > CLOCK_SECONDS:
            line += " (wrong)"
    return line


def _kept(number: int, size: int) -> str:
    return f"{words.plural(number, 'delivery', 'deliveries')} and {size / (1 << 30):.1f} GiB"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
