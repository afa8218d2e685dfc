"""The options of `replay` and `trigger` for old, invalid and missing signatures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiktok_hook import moments
from tiktok_hook.cli.options import option, together
from tiktok_hook.errors import UsageError

if TYPE_CHECKING:
    from tiktok_hook.signature import State

_LONGEST_AGE = 1e11
"""In seconds; an older signature would have a time that no clock has."""

_NAMES = {
    "as_is": "--as-is",
    "age": "--age",
    "bad_signature": "--bad-signature",
    "no_signature": "--no-signature",
}

ways = together(
    option("--age", metavar="TIME", help="Backdate the signature by this much: 10m, 2h."),
    option("--bad-signature", is_flag=True, help="Send an invalid signature."),
    option("--no-signature", is_flag=True, help="Send no signature."),
)
"""The options that change the signature."""


def validate(given: Mapping[str, Any]) -> None:
    """Check that at most one of the options is given, and that ``--age`` is a valid time.

    Raises:
        UsageError: Two options exclude each other, or the time is invalid.
    """
    asked = [name for key, name in _NAMES.items() if given.get(key)]
    if len(asked) > 1:
        raise UsageError(
            f"{' and '.join(asked)} exclude each other.", hint="Give only one of them."
        )
    if given["age"] is not None:
        seconds(given["age"])


def require_secret(given: Mapping[str, Any]) -> None:
    """Reject the options that need a client secret.

    Raises:
        UsageError: ``--age`` or ``--bad-signature`` was given.
    """
    for key in ("age", "bad_signature"):
        if given[key]:
            raise UsageError(
                f"{_NAMES[key]} needs a client secret to sign with.",
                hint="Set TIKTOK_CLIENT_SECRET, or give --secret-file FILE.",
            )


def seconds(text: str) -> float:
    """Parse the value of ``--age`` into seconds: ``90``, ``10m``, ``1h30m``, ``1d``.

    Raises:
        UsageError: The value is not a valid time.
    """
    try:
        found = moments.seconds(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < _LONGEST_AGE:
        raise UsageError(
            f"--age {text!r} is not a valid time.", hint="For instance --age 10m or --age 2h."
        )
    return found


def verdict(*, signed: bool, bad: bool, age: float) -> "State":
    """The state that a correct verifier reports for a sample with this signature."""
    from tiktok_hook.signature import State

    if not signed:
        return State.MISSING
    if bad:
        return State.INVALID
    return State.VALID if age <= 300 else State.STALE
