"""Decides whether a text can be a client secret, before it becomes a key.

A comment of an env file, a whole ``NAME=value`` line or a placeholder that was never filled in
would otherwise be a key that anybody can guess, and a forged delivery would verify.
"""

import re
from collections.abc import Sequence

from tiktok_hook.errors import UsageError

MIN_CHARACTERS = 6
"""Shorter texts are usage errors. TikTok states no length."""

_ASSIGNMENT = re.compile(
    r"(?:export\s+)?[A-Za-z_][\w.-]*\s*=\s*(?!=*$)"  # NAME=value, but not base64's padding
    r"|[A-Z][A-Z0-9]*_[A-Z0-9_]*=*$"  # NAME= without a value, or the name alone
    r"|(?i:[A-Za-z_-]*(?:secret|key|token))[\"']?:"  # name: value, as in YAML and JSON
)
_COMMENTS = ("#", "\uff03", "//", "/*", ";", "--")
_REFERENCE = re.compile(
    r"[a-z][a-z0-9+.-]*://|(?:arn|vault|env|ref|secret|ssm):|enc\[|projects/[^/]+/secrets/",
    re.IGNORECASE,
)
"""Where a secret is kept, as password managers and clouds write it."""

_PLACEHOLDER = re.compile(
    r"\$\w|\$\{|\{\{|<|%+\w+%+$"  # a variable or a template
    r"|(.)\1*$"  # ******** and xxxxxxxx
    r"|(?:your|replace|insert|enter|put|paste)[-_].*"
    r"|[\[({<]?(?:placeholder|redacted|example|password[0-9]*|not[-_]?set|changeit"
    r"|replace[-_]?me|12345[0-9]*|abcdef|qwerty)[\])}>]?$"
    r"|(?:undefined|(?:client|app)[-_]?secret(?:[-_]?(?:key|here))?|change[-_]?me)$",
    re.IGNORECASE,
)
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_COPY = "Copy it from Credentials in the TikTok Developer Portal."


def checked_secret(text: str, *, where: str) -> str:
    """Return the text if it can be a client secret.

    Args:
        text: As given.
        where: The option, variable, file or argument that it came from, for the message.

    Raises:
        UsageError: It is empty, shorter than `MIN_CHARACTERS`, a comment or an assignment of an env
            file, a reference to a secret, a placeholder, or has whitespace, quotes or control
            characters. The message never contains the text.
    """
    problem, hint = _problem(text)
    if problem:
        raise UsageError(f"The client secret from {where} {problem}.", hint=hint)
    return text


def checked_secrets(given: str | Sequence[str], *, where: str = "secret") -> tuple[str, ...]:
    """Return one secret or several as a tuple, each checked.

    Args:
        given: One text, or several to try in order.
        where: The argument that they came from, for the message.

    Raises:
        UsageError: One of them cannot be a client secret, or is not a text.
    """
    texts = (given,) if isinstance(given, str) else tuple(given)
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(
                f"A client secret from {where} is of type {type(text).__name__}.",
                hint="Give it as a str.",
            )
        checked_secret(text, where=where)
    return texts


def _problem(text: str) -> tuple[str, str]:
    """What is wrong with a text as a secret, and the hint; two empty texts when nothing is."""
    stripped = text.strip()
    if not stripped:
        return "is empty", _COPY
    if stripped.startswith(_COMMENTS):
        return (
            f"begins with {stripped[: 2 if stripped[0] in '/-' else 1]}, as a comment does",
            "Remove the comment; only the secret itself may be there.",
        )
    if _ASSIGNMENT.match(stripped):
        return (
            "looks like a line NAME=value of an env file",
            "Give only the value, without its name.",
        )
    if _REFERENCE.match(stripped):
        return (
            "is a reference to a secret, not the secret",
            "Let the program that knows the reference put the secret in its place.",
        )
    if _PLACEHOLDER.match(stripped):
        return (
            "looks like a placeholder that was not filled in",
            f"Put the secret in its place. {_COPY}",
        )
    if any(character.isspace() or not character.isprintable() for character in text):
        return (
            "has whitespace or control characters",
            "Copy it again without spaces or line breaks around or inside it.",
        )
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return "has quotes around it", "Give the secret itself, without the quotes."
    if len(text) < MIN_CHARACTERS:
        return (
            f"is too short: it has {len(text)} of at least {MIN_CHARACTERS} characters",
            _COPY,
        )
    return "", ""
