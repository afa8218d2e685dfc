"""The options by which `replay` and `trigger` sign late, wrong or not at all."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiktok_hook.cli.options import option, together
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.signature import State

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAMES = {
    "as_is": "--as-is",
    "age": "--age",
    "bad_signature": "--bad-signature",
    "no_signature": "--no-signature",
}

ways = together(
    option("--age", metavar="TIME", help="Date a right signature back: 10m, 2h."),
    option("--bad-signature", is_flag=True, help="Send a wrong signature."),
    option("--no-signature", is_flag=True, help="Send no signature."),
)
"""The options that say how it is signed."""


def validate(given: Mapping[str, Any]) -> None:
    """Refuse more than one way, and a time that cannot be read.

    Raises:
        UsageError: Naming the options, or the time.
    """
    asked = [name for key, name in _NAMES.items() if given.get(key)]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} exclude each other.", hint="Leave one of them.")
    if given["age"] is not None:
        seconds(given["age"])


def refuse_without_secret(given: Mapping[str, Any]) -> None:
    """Refuse what can only be done with a secret.

    Raises:
        UsageError: Late or wrong was asked for.
    """
    for key in ("age", "bad_signature"):
        if given[key]:
            raise UsageError(
                f"{_NAMES[key]} needs a client secret to sign with.",
                hint="Set TIKTOK_CLIENT_SECRET, or give --secret-file FILE.",
            )


def seconds(text: str) -> float:
    """The seconds of ``--age``: ``90``, ``10m``, ``2h``, ``1d``.

    Raises:
        UsageError: It is no time.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)([smhd]?)", text.strip())
    if found is None:
        raise UsageError(f"--age {text!r} is no time.", hint="For instance --age 10m or --age 2h.")
    return float(found[1]) * _UNITS[found[2]]


def verdict(*, signed: bool, bad: bool, age: float) -> "State":
    """What a right check says of a sample that was signed like this."""
    from tiktok_hook.signature import State

    if not signed:
        return State.MISSING
    if bad:
        return State.INVALID
    return State.VALID if age <= 300 else State.STALE
