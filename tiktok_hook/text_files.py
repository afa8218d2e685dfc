"""Reads small files that people name: settings, secrets, policies, ngrok.yml, request bodies.

What is named may be anything, so nothing is read without a limit.
"""

import codecs
import os
import stat
from pathlib import Path

from tiktok_hook import pipes
from tiktok_hook.errors import UsageError

MAX_BYTES = 1 << 20
"""Of a file that people write."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def read_text(file: Path, *, what: str, hint: str, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a UTF-8 file.

    Args:
        file: Its path.
        what: What the file is, for the message: ``settings file``.
        hint: What to do when it cannot be opened.
        max_bytes: A larger file is an error.

    Raises:
        FileNotFoundError: There is no such file; the caller knows what that means.
        UsageError: It cannot be read, is too large, or is not UTF-8; the message names UTF-16 and a
            byte order mark as what they are.
    """
    data = read_input(file, what=what, hint=hint, max_bytes=max_bytes)
    return decode(data, name=f"{what} {file}")


def read_input(file: Path, *, what: str, hint: str, max_bytes: int) -> bytes:
    """Return what a file, a pipe or a device holds.

    Args:
        file: Its path.
        what: What it is, for the message: ``body file``.
        hint: What to do when it cannot be read.
        max_bytes: More is an error.

    Raises:
        FileNotFoundError: There is no such file; the caller knows what that means.
        UsageError: It cannot be read, is too large, or is a pipe into which nothing is written.
    """
    try:
        with pipes.opened(file) as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"The {what} {file} cannot be read: {reason}.", hint=hint) from error
    if len(data) > max_bytes:
        raise _too_large(f"{what} {file}", max_bytes)
    return data


def _too_large(name: str, max_bytes: int) -> UsageError:
    return UsageError(f"The {name} is larger than {max_bytes} bytes.", hint="Name a smaller file.")


def decode(data: bytes, *, name: str) -> str:
    """Return bytes as text.

    Args:
        data: UTF-8 without a byte order mark.
        name: What they are, for the message: ``settings file /home/me/config.toml``.

    Raises:
        UsageError: They are anything else.
    """
    encoding = next((label for mark, label in _MARKS if data.startswith(mark)), None)
    if encoding is None and _alternates_with_nul(data[:4]):
        encoding = "UTF-16"  # without a mark, as some Windows programs write it
    if encoding is not None:
        raise UsageError(
            f"The {name} is encoded in {encoding}, not UTF-8.",
            hint="Save it as UTF-8; PowerShell: Out-File -Encoding utf8NoBOM.",
        )
    if data.startswith(codecs.BOM_UTF8):
        raise UsageError(
            f"The {name} begins with a byte order mark (BOM).",
            hint="Save it as UTF-8 without BOM.",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The {name} cannot be read: it is not UTF-8 text (byte {error.start}).",
            hint="Save it as UTF-8.",
        ) from error


def _alternates_with_nul(start: bytes) -> bool:
    """Whether every second byte is NUL and the others are not: ASCII letters in UTF-16."""
    pattern = [byte == 0 for byte in start]
    return len(start) == 4 and pattern in ([True, False] * 2, [False, True] * 2)


def foreign_reason(found: os.stat_result) -> str:
    """Why another user could have written a file or folder; empty if only this user could.

    The owner may be root. The group may write if it is the user's own private group, as the files
    of a ``umask 002`` are on Debian and Fedora. On a system without such modes nothing is foreign.
    """
    if os.name != "posix":
        return ""
    user = os.geteuid()
    if found.st_uid not in {user, 0}:
        return "belongs to another user"
    private_group = found.st_gid == found.st_uid == user
    writable = found.st_mode & (stat.S_IWOTH if private_group else stat.S_IWOTH | stat.S_IWGRP)
    return "can be written to by other users" if writable else ""


class ForeignFileError(UsageError):
    """Another user could have written the file."""


def read_bytes(file: Path, *, what: str, max_bytes: int) -> bytes:
    """Return a regular file that only this user or root can have written.

    The file is opened first and examined then, so that it cannot be exchanged in between. A named
    pipe does not block.

    Args:
        file: Its path; symbolic links are followed.
        what: What the file is, for the message: ``scenario file``.
        max_bytes: A larger file is an error.

    Raises:
        FileNotFoundError: There is no such file.
        ForeignFileError: Another user could have written it.
        UsageError: It is not a regular file, is too large, or cannot be read.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(
                    f"The {what} {file} is not a regular file.", hint="Name a file of text."
                )
            if reason := foreign_reason(found):
                raise ForeignFileError(
                    f"The {what} {file} {reason}.", hint="Make it yours: chown and chmod go-w."
                )
            # None for some files of /proc, which are regular ones and would block.
            data = stream.read(max_bytes + 1) or b""
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(
            f"The {what} {file} cannot be read: {error.strerror or error}.",
            hint="Check its permissions.",
        ) from error
    if len(data) > max_bytes:
        raise _too_large(f"{what} {file}", max_bytes)
    return data
