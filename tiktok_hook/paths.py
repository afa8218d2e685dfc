"""Where files are on this machine: history, settings, and what is remembered between runs.

The state folder has three kinds of files, each readable by its owner alone: the inspector's token,
the last Callback URL, and one file for each running listener. Never a secret of TikTok's or
ngrok's. What another user could have written there is not used.
"""

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tiktok_hook.errors import StoreError

_APP = "tiktok-hook"
_INSPECTOR_FILE = "inspector-token"
_TOKEN_CHARACTERS = 22
_MAX_STATE_BYTES = 64 * 1024
_TEMPORARY = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EAGAIN, errno.EINTR}
"""Errors that do not come from the file: the next reading may succeed."""


def data_dir() -> Path:
    """The folder of the history; not made here."""
    return _folder("user_data_path")


def config_dir() -> Path:
    """The folder of `config.toml`; not made here."""
    return _folder("user_config_path")


def state_dir() -> Path:
    """The folder of what is remembered between runs; not made here."""
    return _folder("user_state_path")


def _folder(
    function: Literal["user_data_path", "user_config_path", "user_state_path"],
) -> Path:
    """What a function of platformdirs returns for this program.

    Raises:
        StoreError: No home folder is known, as for a user without an entry and without HOME.
    """
    import platformdirs  # with what it imports, a twentieth of the time of a command's --help

    try:
        found: Path = getattr(platformdirs, function)(_APP, appauthor=False)
    except RuntimeError as error:
        raise StoreError(
            "No home folder is known, so there is no place for history, settings and state.",
            hint="Set HOME, or give --db FILE and --config FILE.",
        ) from error
    return found


def history_path() -> Path:
    """Where the history is stored by default."""
    return data_dir() / "history.db"


def user_token() -> str:
    """The inspector's token: 22 URL-safe characters (128 bits), one per user.

    It is created when it is first needed, and replaced when other users could have read it. A file
    that only cannot be read at the moment stays: a new token would lock out every page.

    Raises:
        StoreError: The state folder cannot be written to, other users can write to it, or the file
            cannot be read at the moment, for want of descriptors, for one.
    """
    path = state_dir() / _INSPECTOR_FILE
    found = _read_own(path, private=True)
    if found is not None and len(found.strip()) == _TOKEN_CHARACTERS:
        return found.strip()
    if found is not None or os.path.lexists(path):
        _remove_unusable(path, found)
    # Of two processes that start at once, both have to end up with the same one: the first to
    # create the file wins, and the other one reads it.
    _write(path, _new_token(), replace=False)
    return (_read_own(path, private=True) or "").strip() or _new_token()


def _remove_unusable(path: Path, seen: str | None) -> None:
    """Remove a token file that cannot be used, unless another process has replaced it by now."""
    check_state_dir()
    if _read_own(path, private=True) == seen:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _cannot_write(path.parent, error) from error


def rotate_token() -> str:
    """Replace the inspector's token; running inspectors accept only the new one from then on.

    Raises:
        StoreError: The state folder cannot be written to.
    """
    token = _new_token()
    _write(state_dir() / _INSPECTOR_FILE, token)
    return token


def _new_token() -> str:
    import secrets

    return secrets.token_urlsafe(16)


def remember_callback(url: str) -> Literal["first", "same", "changed"]:
    """Compare the Callback URL with that of the last run, and keep it for the next one.

    Raises:
        StoreError: The state folder cannot be written to.
    """
    path = state_dir() / "callback-url"
    before = (_read_own(path) or "").strip()
    if before == url:
        return "same"
    _write(path, url)
    return "changed" if before else "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A running `listen` or `demo`, as other commands find it.

    Attributes:
        pid: Its process.
        started_at: Unix seconds.
        local_url: Where its receiver listens, path included.
        callback_url: Its public address; None without one.
        inspector_url: Without the token; None without an inspector.
        history: Identifies its history, without a password; None when ephemeral.
        target: Its first target; None without one.
        verifies: Whether it has a client secret, so that it rejects what is not signed.
        born: Distinguishes its process from a later one with the same number; empty if unknown.
    """

    pid: int
    started_at: float
    local_url: str
    callback_url: str | None = None
    inspector_url: str | None = None
    history: str | None = None
    target: str | None = None
    verifies: bool = False
    born: str = ""


@contextmanager
def listening(
    *,
    local_url: str,
    callback_url: str | None = None,
    inspector_url: str | None = None,
    history: str | None = None,
    target: str | None = None,
    verifies: bool = False,
) -> Iterator[Listener]:
    """Let other commands find this process for as long as the block runs.

    Args:
        local_url: See `Listener`, as for the others.
        callback_url: None without one.
        verifies: Whether it has a client secret.
        inspector_url: None without one.
        history: `Location.identity` of its history.
        target: None without one.

    Raises:
        StoreError: The state folder cannot be written to.
    """
    listener = Listener(
        pid=os.getpid(),
        started_at=time.time(),
        local_url=local_url,
        callback_url=callback_url,
        inspector_url=inspector_url,
        history=history,
        target=target,
        verifies=verifies,
        born=_born(os.getpid()),
    )
    import json

    path = _listeners_dir() / f"{listener.pid}.json"
    _write(path, json.dumps(asdict(listener)))
    try:
        yield listener
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def listeners() -> list[Listener]:
    """The listeners that run now, newest first; files of those that were killed are removed."""
    found = []
    try:
        if distrust(state_dir()) or distrust(_listeners_dir()):
            return []
        entries = list(_listeners_dir().glob("*.json"))
    except (OSError, StoreError):  # no home folder is known
        return []
    for path in entries:
        listener = _listener(path)
        if listener is not None and _running(listener):
            found.append(listener)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return sorted(found, key=lambda each: each.started_at, reverse=True)


def newest_listener() -> Listener | None:
    """The listener that was started last, of those that run now; None when none does."""
    return next(iter(listeners()), None)


def _listeners_dir() -> Path:
    return state_dir() / "listeners"


def _listener(path: Path) -> Listener | None:
    """What a file holds; None when it is not one of ours."""
    import json

    try:
        value: Any = json.loads(_read_own(path) or "")
        listener = Listener(**value)
    except (ValueError, TypeError, RecursionError):
        return None
    is_trusted = (
        isinstance(value["pid"], int)
        and isinstance(value["started_at"], int | float)
        and isinstance(value["local_url"], str)
        and path.stem == str(listener.pid)
    )
    return listener if is_trusted else None


def _running(listener: Listener) -> bool:
    """Whether the process is there, and is still the one that wrote the file."""
    if not process_exists(listener.pid):
        return False
    return not listener.born or listener.born == _born(listener.pid)


def process_exists(pid: int) -> bool:
    """Whether a process with this number runs on this machine."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        # os.kill would end the process there, whatever the signal.
        import ctypes

        kernel = ctypes.windll.kernel32
        query_limited_information, still_active = 0x1000, 259
        handle = kernel.OpenProcess(query_limited_information, False, pid)  # noqa: FBT003 - its signature
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == still_active
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _born(pid: int) -> str:
    """When a process was started, in ticks of this boot; empty where there is no ``/proc``."""
    stat = _read(Path(f"/proc/{pid}/stat"))
    # The name in parentheses may hold spaces and parentheses; 20 fields follow up to the time.
    fields = stat.rpartition(")")[2].split()
    boot = _read(Path("/proc/sys/kernel/random/boot_id")).strip()
    return f"{boot}/{fields[19]}" if len(fields) > 19 else ""


def _read(path: Path) -> str:
    """The text of a file; empty when there is none or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def distrust(path: Path) -> str:
    """Why another user could have written a file or folder; empty if only this user could.

    What is not there, and what is on a system without such modes, is trusted.
    """
    try:
        found = path.stat()
    except OSError:
        return ""
    return _distrust(found)


def _distrust(found: os.stat_result) -> str:
    if os.name != "posix":
        return ""
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    return "can be written to by other users" if found.st_mode & 0o022 else ""


def check_state_dir() -> None:
    """Reject a state folder that other users can write to: they could plant files in it.

    Raises:
        StoreError: It belongs to another user, or its mode lets others write.
    """
    for folder in (state_dir(), _listeners_dir()):
        reason = distrust(folder)
        if reason:
            raise StoreError(
                f"The state folder {folder} {reason}, so what is in it is not used.",
                hint=f"chmod go-w {folder}, or set XDG_STATE_HOME to a folder of yours.",
            )


def _read_own(path: Path, *, private: bool = False) -> str | None:
    """The text of a file in the state folder that only this user can have written.

    Args:
        path: The file.
        private: Whether no other user may be able to read it either.

    Returns:
        None when there is none, it cannot be read, or another user could have written it.

    Raises:
        StoreError: One that is private cannot be read at the moment.
    """
    if distrust(path.parent) or distrust(state_dir()):
        return None
    # Opened first and looked at then, so that it cannot be exchanged in between. No link is
    # followed, and a pipe in its place does not block.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as stream:
            found = os.fstat(stream.fileno())
            exposed = private and os.name == "posix" and found.st_mode & 0o077
            if _distrust(found) or exposed or not stat.S_ISREG(found.st_mode):
                return None
            return stream.read(_MAX_STATE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        if private and error.errno in _TEMPORARY:
            raise StoreError(
                f"{path} cannot be read: {error.strerror}.",
                hint="If the limit on open files is low, raise it: ulimit -n 4096.",
            ) from error
        return None


def _write(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file in the state folder as `write_private` does.

    Raises:
        StoreError: The state folder cannot be written to, or other users can write to it.
    """
    check_state_dir()
    try:
        write_private(path, text, replace=replace)
    except OSError as error:
        raise _cannot_write(path.parent, error) from error


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file for the owner alone, whole or not at all.

    Args:
        path: The file; missing folders are made, for the owner alone.
        text: All of it.
        replace: Whether to put it in the place of one that is there; otherwise that one stays.

    Raises:
        OSError: It cannot be written.
    """
    _make_folder(path.parent)
    # Not `tempfile`: its import takes longer than all of this.
    draft = path.with_name(f".{path.name}-{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        if replace:
            draft.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def _cannot_write(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The state folder {folder} cannot be written to: {error.strerror or error}.",
        hint="Check its permissions, or set XDG_STATE_HOME to a folder of yours.",
    )


def _make_folder(folder: Path) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
