"""This machine: Python, the SDK, ports, disk and terminal."""

import asyncio
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tiktok_hook import paths
from tiktok_hook.descriptors import open_files_limit, shares
from tiktok_hook.doctor.finding import Finding, bad, good, warning
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import UnresolvedError, resolve
from tiktok_hook.errors import HookError, ListenError
from tiktok_hook.forward import parse_target, reachable
from tiktok_hook.hints import for_answer
from tiktok_hook.ports import bind
from tiktok_hook.store import locate

RECEIVER_PORT = 3000
INSPECTOR_PORT = 4040

_NEEDED_BYTES = 64 << 20
_WANTED_BYTES = 2 << 30
"""Twice what the history keeps of bodies by default."""


async def python(_subject: Subject) -> list[Finding]:
    """Which Python runs this."""
    version = importlib.metadata.version("tiktok-hook")
    words = f"tiktok-hook {version} on {platform.python_implementation()} "
    words += f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    return [good("python", words)]


async def sdk(_subject: Subject) -> list[Finding]:
    """Whether ngrok's SDK is there, and can be loaded on this system."""
    try:
        version = importlib.metadata.version("ngrok")
    except importlib.metadata.PackageNotFoundError:
        return [bad("ngrok-sdk", "ngrok's SDK is not installed", "Run: pip install 'ngrok>=1.4'")]
    # Loaded in another process: a binary that does not fit the system can end the one it is in.
    # -P: a file ngrok.py in the working directory must not be run.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        "import ngrok",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code != 0:
        return [
            bad(
                "ngrok-sdk",
                f"ngrok's SDK {version} cannot be loaded",
                f"Run {sys.executable} -P -c 'import ngrok' to see why; pip install "
                "--force-reinstall ngrok fetches the one for this system.",
            )
        ]
    return [good("ngrok-sdk", version)]


async def descriptors(_subject: Subject) -> list[Finding]:
    """Whether this process may open as many files as many deliveries at once need."""
    limit = open_files_limit()
    if limit is None:
        return [good("descriptors", "no limit")]
    words = f"at most {limit} open files"
    few = shares(limit)
    if few.attempts is not None:
        return [
            warning(
                "descriptors",
                f"{words}: listen receives {few.connections} deliveries at a time and forwards "
                f"{few.attempts}",
                "Raise the limit before listen: ulimit -n 4096; LimitNOFILE=4096 in a systemd "
                "unit; docker run --ulimit nofile=4096.",
            )
        ]
    return [good("descriptors", words)]


async def ports(subject: Subject) -> list[Finding]:
    """Whether the receiver and the inspector will find a port."""
    ours = {_port(each.local_url): each.pid for each in paths.listeners()}
    ours |= {_port(each.inspector_url): each.pid for each in paths.listeners()}
    return [
        _one_port("port", "--port", subject.port, RECEIVER_PORT, ours),
        _one_port("inspect-port", "--inspect-port", subject.inspect_port, INSPECTOR_PORT, ours),
    ]


def _port(url: str | None) -> int | None:
    return None if url is None else urlsplit(url).port


def _one_port(
    name: str, flag: str, given: int | None, preferred: int, ours: dict[int | None, int]
) -> Finding:
    port = preferred if given is None else given
    if port in ours:
        return good(name, f"{port} is used by the running listener (process {ours[port]})")
    try:
        for bound in bind(port, preferred=preferred, flag=flag):
            bound.close()
    except ListenError as error:
        if given is None:
            return good(name, f"{port} is used by another program; listen will take a free one")
        return bad(name, str(error).removesuffix("."), error.hint)
    return good(name, f"{port} is free" if port else "any free one")


async def targets(subject: Subject) -> list[Finding]:
    """Whether something listens where deliveries would be forwarded to."""
    if not subject.targets:
        return [good("target", "none given; --forward-to names your app")]
    return [await _target(text) for text in subject.targets]


async def _target(text: str) -> Finding:
    try:
        url = parse_target(text)
    except HookError as error:
        return bad("target", str(error).removesuffix("."), error.hint)
    parts = urlsplit(url)
    try:
        await resolve(parts.hostname or "", parts.port or 80)
    except UnresolvedError as error:
        hint = for_answer(status=None, error="dns", verdict=None, target=url)
        return bad("target", f"{url} cannot be reached: {error}", hint)
    if await reachable(url, timeout=3.0):
        return good("target", f"something listens at {url}")
    hint = for_answer(status=None, error="refused", verdict=None, target=url)
    return bad("target", f"{url} cannot be reached", hint)


async def disk(subject: Subject) -> list[Finding]:
    """How much room there is for the history."""
    place = locate(subject.db, where="db").folder
    if place is None:
        return []
    folder = existing(place)
    free = shutil.disk_usage(folder).free
    words = f"{_size(free)} free at {folder}"
    if free < _NEEDED_BYTES:
        return [bad("disk", words, "Free some space, or name another disk with --db PATH.")]
    if free < _WANTED_BYTES:
        return [warning("disk", words, "Free some space, or keep less: listen --keep-bytes N.")]
    return [good("disk", words)]


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    whole = folder.expanduser().absolute()
    return next((each for each in (whole, *whole.parents) if each.is_dir()), Path(whole.anchor))


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"


async def terminal(_subject: Subject) -> list[Finding]:
    """What the screen can show."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding not in {"utf8", "cp65001"}:
        return [
            warning(
                "terminal",
                f"stdout speaks {sys.stdout.encoding}, not UTF-8",
                "Set PYTHONUTF8=1, or LC_ALL to a UTF-8 locale such as C.UTF-8.",
            )
        ]
    if not sys.stdout.isatty():
        return [
            good("terminal", "stdout is not a terminal: listen shows compact lines without colour")
        ]
    return [good("terminal", ", ".join(_abilities()))]


def _abilities() -> Sequence[str]:
    dumb = os.environ.get("TERM") == "dumb"
    plain = "NO_COLOR is set" if os.environ.get("NO_COLOR") else "no colours" if dumb else ""
    return (
        os.environ.get("TERM") or "a terminal",
        f"{shutil.get_terminal_size().columns} columns",
        plain or "colours",
        "single keys" if sys.stdin.isatty() else "no keys: stdin is not a terminal",
        "UTF-8",
    )
