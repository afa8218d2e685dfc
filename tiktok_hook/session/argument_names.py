"""Errors for callers of `listen` in Python: arguments in place of the command line's options."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache

from tiktok_hook.errors import HookError
from tiktok_hook.option_fields import info_of
from tiktok_hook.session.options import ListenOptions
from tiktok_hook.suggestions import did_you_mean

_SENTENCES = {
    "Set TIKTOK_CLIENT_SECRET, or use --secret-file or --secret -.": "Give secret=….",
}
"""Hints that are replaced by another sentence in Python."""

_COMMAND_LINE = re.compile(r"^tiktok-hook listen (--forward-to \S+) -- .*", re.DOTALL)
_OPTION = re.compile(
    r"""
    (?<![\w-])--(?P<flag>[a-z][a-z-]*)
    (?:[ ](?!(?:needs|names|allows|is|and|or)\b)
       (?P<value>'[^']*' | [^\s'",;]+?(?=[.,;:]?(?:\s|$))))?
    """,
    re.VERBOSE,
)
"""An option and the value after it; a verb or a conjunction after it does not count as one."""


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Rewrite a `HookError` from the block so that it names arguments of `listen`, not options."""
    try:
        yield
    except HookError as error:
        rename(error)
        raise


def check_names(function: str, given: Collection[str]) -> None:
    """Check that `listen` has arguments of these names, which may be those of the command line.

    Raises:
        TypeError: It has no such argument; its note has the one that is meant.
    """
    known = {each.name for each in fields(ListenOptions)}
    for name in given:
        if name in known:
            continue
        error = TypeError(f"{function}() has no argument {name!r}")
        option = _arguments().get(name.replace("_", "-"))
        hint = f"It is called {option[0]}." if option else did_you_mean(name, known)
        if hint:
            error.add_note(f"Hint: {hint}")
        raise error


def rename(error: HookError) -> None:
    """Rewrite the message, the hint and the note of an error in place."""
    before = f"Hint: {error.hint}"
    error.args = (in_python(str(error)),)
    error.hint = in_python(error.hint)
    notes = getattr(error, "__notes__", [])
    notes[:] = [f"Hint: {error.hint}" if note == before else note for note in notes]


def in_python(text: str) -> str:
    """Replace options of the command line in a text: ``--port 99999`` becomes ``port=99999``."""
    text = _SENTENCES.get(text, text)
    return _OPTION.sub(_argument, _COMMAND_LINE.sub(r"Add \1.", text))


def _argument(found: "re.Match[str]") -> str:
    flag, value = found["flag"], found["value"]
    known = _arguments()
    if flag not in known:
        return found[0]
    name, is_flag, is_list = known[flag]
    if is_flag:
        state = not flag.startswith("no-")
        return f"{name}={state}" + ("" if value is None else f" {value}")
    if value is None:
        return name
    if value.isdigit():
        return f"{name}={value}"
    shown = value if value[0] == "'" else repr(value)
    return f"{name}=[{shown}]" if is_list else f"{name}={shown}"


@lru_cache(maxsize=1)
def _arguments() -> dict[str, tuple[str, bool, bool]]:
    """Of each flag, without dashes: its argument, whether it is boolean, whether it is a list."""
    found: dict[str, tuple[str, bool, bool]] = {"secret": ("secret", False, False)}
    for each in fields(ListenOptions):
        info = info_of(each)
        if info is None:
            continue
        is_flag = isinstance(each.default, bool)
        is_list = info.repeatable and each.name != "forward_to"
        for flag in info.flags or (f"--{each.name.replace('_', '-')}",):
            for spelling in flag.split("/"):
                found[spelling.removeprefix("--")] = each.name, is_flag, is_list
        if is_flag:
            found[f"no-{each.name.replace('_', '-')}"] = each.name, True, False
    return found
