"""Editing of a body in the user's editor: indented for people, written back as TikTok does."""

import json
from typing import Any

import click

from tiktok_hook import exact_json
from tiktok_hook.cli import standard_input
from tiktok_hook.errors import UsageError


def edited(body: bytes) -> bytes | None:
    """Let the user change a body in ``$EDITOR``; None when nothing was changed.

    ``content`` is shown as an object where it holds one, and written back as a string. A body that
    is not JSON is shown unchanged.

    Raises:
        UsageError: The body is not text, the editor failed, or what it saved is not JSON.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise UsageError(
            "The body is binary and cannot be edited as text.",
            hint="tiktok-hook show ID --body writes it to a file.",
        ) from None
    value, folded = _unfolded(text)
    before = text if value is None else _laid_out(value)
    try:
        with standard_input.withheld_without_a_terminal():
            after = click.edit(before, extension=".txt" if value is None else ".json")
    except click.ClickException as error:
        raise UsageError(
            f"The editor failed: {error.format_message()}",
            hint="Set EDITOR to one that works, or use --set.",
        ) from error
    if after is None or after.rstrip("\n") == before.rstrip("\n"):
        return None
    if value is None:
        return after.rstrip("\n").encode()
    return _written_back(after, folded=folded)


def _unfolded(text: str) -> tuple[Any, bool]:
    """The decoded body, None when it is not JSON, and whether `content` was decoded as well."""
    try:
        value = exact_json.loads(text)
    except ValueError:
        return None, False
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        try:
            inner = exact_json.loads(str(value["content"]))
        except ValueError:
            return value, False
        if isinstance(inner, dict | list):
            return {**value, "content": inner}, True
    return value, False


def _laid_out(value: Any) -> str:
    compact = exact_json.dumps(value)
    laid_out = json.dumps(value, indent=2, ensure_ascii=False)
    # Python's own writer would spell some fractions otherwise: then one line has to do.
    same = exact_json.dumps(exact_json.loads(laid_out)) == compact
    return (laid_out if same else compact) + "\n"


def _written_back(text: str, *, folded: bool) -> bytes:
    try:
        value = exact_json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"What the editor saved cannot be sent: {exact_json.why_not(error)}.",
            hint="Nothing was sent. Try again.",
        ) from error
    if folded and isinstance(value, dict) and isinstance(value.get("content"), dict | list):
        value = {**value, "content": exact_json.dumps(value["content"])}
    return exact_json.dumps(value).encode("utf-8", "surrogatepass")
