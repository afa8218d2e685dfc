"""The name of an attached app."""

import getpass
import socket

from tiktok_hook.errors import UsageError
from tiktok_hook.sanitize import visible
from tiktok_hook.store.kept import storable

MAX_CHARS = 100


def default_app_name() -> str:
    """The name for this user on this machine: ``anna@laptop``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no entry for this user, as in some containers
        user = "user"
    return storable(f"{user}@{socket.gethostname()}").replace("\0", "")[:MAX_CHARS]


def checked_app_name(given: str | None) -> str:
    """Check a name that the user gave; None is `default_app_name`.

    Raises:
        UsageError: It is empty, too long, or has characters that cannot be printed.
    """
    if given is None:
        return default_app_name()
    name = given.strip()
    if not name or len(name) > MAX_CHARS or not name.isprintable() or storable(name) != name:
        raise UsageError(
            f"--as {visible(given[: 2 * MAX_CHARS])!r} is not a name.",
            hint=f"1 to {MAX_CHARS} printable characters, such as --as anna@laptop.",
        )
    return name
