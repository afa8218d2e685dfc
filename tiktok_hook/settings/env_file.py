"""Reads two variables from `.env` in the working directory, and never any other.

A cloned repository brings its `.env` along, so the file is treated as a stranger's: the client
secret counts only if there is no other one, nothing is interpolated, and the source is reported.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tiktok_hook.errors import UsageError
from tiktok_hook.text_files import ForeignFileError, decode, read_bytes

NAME = ".env"
SECRET_VARIABLE = "TIKTOK_CLIENT_SECRET"  # noqa: S105 - the name of a variable, not a secret
AUTHTOKEN_VARIABLE = "NGROK_AUTHTOKEN"

_MAX_BYTES = 1 << 20
_VARIABLES = (SECRET_VARIABLE, AUTHTOKEN_VARIABLE)

_ASSIGNMENT = re.compile(
    r"""
    ^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)[ \t]*=[ \t]*
    (?:
        '(?P<single>[^']*)'
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | `(?P<backtick>[^`]*)`
      | (?P<bare>[^\r\n]*)
    )
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
"""One assignment. A quoted value may have several lines, and what is in it is not an assignment."""

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_variables(folder: Path) -> Mapping[str, str]:
    """Return ``TIKTOK_CLIENT_SECRET`` and ``NGROK_AUTHTOKEN`` as far as `.env` sets them.

    Args:
        folder: The working directory; folders above it are not searched.

    Returns:
        Empty if there is no such file (a folder `.env`, a virtual environment, counts as none), or
        if it sets neither.

    Raises:
        ForeignFileError: Another user could have written the file.
        UsageError: It sets one of the two, but is in UTF-16 or begins with a byte order mark.
    """
    file = folder / NAME
    if not os.path.isfile(file):  # noqa: PTH113 - False, not an error, in a closed folder
        return {}
    try:
        data = read_bytes(file, what="file", max_bytes=_MAX_BYTES)
    except ForeignFileError:
        raise
    except (OSError, UsageError):  # not readable or too large: not a file for us
        return {}
    return parse(data, name=f"file {file}")


def parse(data: bytes, *, name: str) -> Mapping[str, str]:
    """Return the two variables from the content of an env file.

    Args:
        data: The content. The last assignment of a name wins, as in Node.js and Docker Compose.
        name: How a message calls the file.

    Raises:
        UsageError: The content names one of the two, but is not UTF-8 without byte order mark.
    """
    encodings = ("utf-8", "utf-16-le", "utf-16-be")
    if not any(word.encode(each) in data for word in _VARIABLES for each in encodings):
        return {}
    text = decode(data, name=name)
    found: dict[str, str] = {}
    for each in _ASSIGNMENT.finditer(text):
        if each["name"] in _VARIABLES:
            found[each["name"]] = _value(each)
    return found


def _value(found: "re.Match[str]") -> str:
    if found["double"] is not None:
        return re.sub(r"\\(.)", lambda it: _ESCAPES.get(it[1], it[1]), found["double"], flags=re.S)
    for quoted in ("single", "backtick"):
        if found[quoted] is not None:
            return found[quoted]
    # A comment begins at a # with a blank before it. One at the start of the value is kept, so
    # that the check of the secret rejects it.
    return re.split(r"(?<=\S)[ \t]+#", found["bare"])[0].strip()
