"""The ngrok authtoken that the user typed at the prompt, kept for the next run.

It is in a file of ours that only the user can read. ngrok's own config file is never written.
"""

import json
import os
from pathlib import Path

from tiktok_hook import paths
from tiktok_hook.errors import StoreError, UsageError
from tiktok_hook.text_files import decode, read_bytes

_KEY = "ngrok_authtoken"
_MAX_BYTES = 4096


def credentials_file() -> Path:
    """Where the file is, or would be.

    Raises:
        StoreError: No home folder is known.
    """
    return paths.config_dir() / "credentials"


def read_authtoken() -> str | None:
    """The authtoken that was kept; None without one.

    Raises:
        UsageError: The file is not ours alone, or not as `keep_authtoken` writes it. No message
            quotes what is in it.
    """
    import tomllib

    try:
        file = credentials_file()
        data = read_bytes(file, what="credentials file", max_bytes=_MAX_BYTES)
    except (FileNotFoundError, StoreError):
        return None
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise UsageError(
            f"The credentials file {file} can be read by other users.",
            hint=f"chmod 600 {file}, and replace the authtoken if it may have been seen.",
        )
    try:
        token = tomllib.loads(decode(data, name=f"credentials file {file}")).get(_KEY)
    except (ValueError, RecursionError):
        token = None
    if not isinstance(token, str):
        # The parser's own message quotes the line, which is the token's.
        raise UsageError(
            f'The credentials file {file} holds no line {_KEY} = "…".',
            hint="Remove it, and type the authtoken at the prompt again.",
        ) from None
    return token.strip() or None


def keep_authtoken(token: str) -> Path:
    """Keep a token in place of the one that is there.

    Returns:
        The file, made with mode 0600.

    Raises:
        StoreError: It cannot be written.
    """
    file = credentials_file()
    # A JSON string is a TOML string as well.
    text = f"{_KEY} = {json.dumps(token)}\n"
    try:
        paths.write_private(file, text)
    except OSError as error:
        raise StoreError(
            f"The credentials file {file} cannot be written: {error.strerror or error}.",
            hint="Check the permissions of its folder, or set NGROK_AUTHTOKEN instead.",
        ) from error
    return file
