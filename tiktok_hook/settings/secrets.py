"""Finds the client secrets: options, then the environment, and only then `.env`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tiktok_hook.errors import UsageError
from tiktok_hook.settings import env_file
from tiktok_hook.settings.env_file import NAME, SECRET_VARIABLE
from tiktok_hook.text_files import ForeignFileError, read_text


@dataclass(frozen=True, slots=True)
class FoundSecrets:
    """Client secrets and where they came from.

    Attributes:
        values: In order, without repetition; empty if none was found.
        source: The variable, or ``.env``; empty if they were given as options.
        notice: What the user should know about `.env`; empty if it was not needed.
    """

    values: tuple[str, ...] = field(repr=False)
    source: str = ""
    notice: str = ""


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
    return _checked(text.rstrip("\r\n"), where=str(file))


def find_secrets(
    given: Sequence[str],
    files: Sequence[Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> FoundSecrets:
    """Every client secret to try.

    Args:
        given: From ``--secret`` (flag, environment or settings file, as click found it).
        files: From ``--secret-file``.
        environment: Where ``TIKTOK_CLIENT_SECRET`` is looked up when neither is given; None reads
            the process's own. Several secrets there are split at whitespace.
        folder: Where `.env` is looked up when the environment has none either; None looks in the
            working directory.

    Raises:
        UsageError: One of them cannot be a secret, or `.env` cannot be read.
    """
    found = [_checked(text, where="--secret") for text in given]
    found += [secret_from_file(file) for file in files]
    if found:
        return FoundSecrets(tuple(dict.fromkeys(found)))
    text = (os.environ if environment is None else environment).get(SECRET_VARIABLE)
    if text is not None:
        return FoundSecrets(_several(text, where=SECRET_VARIABLE), SECRET_VARIABLE)
    text, notice = from_env_file(SECRET_VARIABLE, folder)
    if text is None:
        return FoundSecrets((), notice=notice)
    values = _several(text, where=f"{SECRET_VARIABLE} in {NAME}")
    return FoundSecrets(values, NAME, f"The client secret comes from {NAME} in this folder.")


def from_env_file(variable: str, folder: Path | None = None) -> tuple[str | None, str]:
    """Return the value of a variable in `.env`, or None with the reason why the file is ignored.

    Args:
        variable: One of the two that `env_file` reads.
        folder: None is the working directory.

    Raises:
        UsageError: The file sets it, but cannot be read as text.
    """
    try:
        return env_file.read_variables(folder or Path.cwd()).get(variable), ""
    except ForeignFileError as error:
        return None, f"Ignored: {error}"
    except FileNotFoundError:  # the working directory was deleted
        return None, ""


def _several(text: str, *, where: str) -> tuple[str, ...]:
    if not text.strip():
        _checked(text, where=where)
    return tuple(dict.fromkeys(_checked(part, where=where) for part in _parts(text)))


def _checked(text: str, *, where: str) -> str:
    from tiktok_hook.signature.client_secret import checked_secret  # loads OpenSSL

    return checked_secret(text, where=where)


def _parts(text: str) -> list[str]:
    """The secrets of a variable; an assignment or a comment is kept whole, to be named as such."""
    return [text] if text.lstrip().startswith(("#", "export ")) else text.split()
