"""Where a setting comes from: flag, then environment, then `config.toml`, then the default.

click reads flags and the environment; this module reads the file and the client secrets, whose
ways in are more than one. Used by `cli` only: everything below takes plain arguments.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tiktok_hook.errors import UsageError
from tiktok_hook.signature.client_secret import checked_secret
from tiktok_hook.text_files import read_text

ENVIRONMENT_PREFIX = "TIKTOK_HOOK_"
SECRET_VARIABLE = "TIKTOK_CLIENT_SECRET"  # noqa: S105 - the name of a variable, not a secret


def variable(option: str) -> str:
    """The environment variable of an option: ``--forward-to`` is ``TIKTOK_HOOK_FORWARD_TO``."""
    return ENVIRONMENT_PREFIX + option.lstrip("-").replace("-", "_").upper()


def read_config(path: Path | None, *, default: Path) -> Mapping[str, Any]:
    """The settings in a TOML file.

    Args:
        path: The file that was asked for; None reads `default` if it is there.
        default: `config.toml` in the user's config folder, never one in the working directory.

    Raises:
        UsageError: The file that was asked for is missing, or one of them cannot be read.
    """
    file = path or default
    try:
        text = read_text(file, what="settings file", hint="Check the path and its permissions.")
    except FileNotFoundError:
        if path is None:
            return {}
        raise UsageError(
            f"The settings file {file} does not exist.",
            hint="Check --config, or leave it out.",
        ) from None
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number too long, lists too deep
        raise UsageError(
            f"The settings file {file} is not valid TOML: {error}.",
            hint='A line reads NAME = VALUE, text in quotes: forward_to = ["3000"].',
        ) from error


def defaults_for(
    command: str,
    config: Mapping[str, Any],
    *,
    options: Collection[str],
    known: Collection[str],
    file: Path,
) -> dict[str, Any]:
    """The part of a settings file that concerns one command.

    Args:
        command: Its name; a table ``[listen]`` goes before the keys at the top.
        config: What `read_config` gave.
        options: Names of this command's options, without the dashes before them.
        known: Names of all options of all commands, and of the commands.
        file: Where they come from, for the message.

    Returns:
        Values by the names of `options`.

    Raises:
        UsageError: A key that no command knows; the nearest names are in the hint.
    """
    values: dict[str, Any] = {}
    # `events` is an option of `listen` and a command as well: a text is the one's value, a table
    # the other's settings.
    own = config.get(command)
    for table, allowed in ((config, known), (own if isinstance(own, Mapping) else {}, options)):
        for key, value in table.items():
            name = key.replace("_", "-")
            if name in options and not isinstance(value, Mapping):
                values[name] = value
            elif name not in allowed:
                import difflib

                near = difflib.get_close_matches(name, allowed, n=2)
                raise UsageError(
                    f"The settings file {file} has an unknown key {key!r}.",
                    hint=f"Did you mean {' or '.join(near)}?" if near else "Take it out.",
                )
    return values


def secret_from_file(file: Path) -> str:
    """Return the client secret on the only line of a file; a line break at its end is ignored.

    Raises:
        UsageError: The file cannot be read, or what it contains cannot be a secret.
    """
    hint = "Give --secret-file a readable file that contains the client secret alone."
    try:
        text = read_text(file, what="secret file", hint=hint, max_bytes=4096)
    except FileNotFoundError as error:
        raise UsageError(
            f"The secret file {file} cannot be read: {error.strerror}.", hint=hint
        ) from error
    return checked_secret(text.rstrip("\r\n"), where=str(file))


def secrets(
    given: Sequence[str], files: Sequence[Path], environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Every client secret to try, in order, without repetition.

    Args:
        given: From ``--secret`` (flag, environment or file, as click found it).
        files: From ``--secret-file``.
        environment: Where ``TIKTOK_CLIENT_SECRET`` is looked up when neither is given; None reads
            the process's own. Several secrets there are split at whitespace.

    Raises:
        UsageError: One of them cannot be a secret.
    """
    found = [checked_secret(text, where="--secret") for text in given]
    found += [secret_from_file(file) for file in files]
    if not found:
        text = (os.environ if environment is None else environment).get(SECRET_VARIABLE)
        if text is not None:
            if not text.strip():
                checked_secret(text, where=SECRET_VARIABLE)
            found = [checked_secret(part, where=SECRET_VARIABLE) for part in _parts(text)]
    return tuple(dict.fromkeys(found))


def _parts(text: str) -> list[str]:
    """The secrets of a variable; an assignment or a comment is kept whole, to be named as such."""
    return [text] if text.lstrip().startswith(("#", "export ")) else text.split()
