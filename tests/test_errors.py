"""The errors that a user can cause."""

import traceback

import pytest

from tiktok_hook.errors import HookError, UsageError


def test_a_hint_is_in_the_traceback() -> None:
    with pytest.raises(HookError) as raised:
        raise UsageError("--age soon is not a time.", hint="For instance 10m.")
    shown = "".join(traceback.format_exception(raised.value))
    assert shown.endswith("--age soon is not a time.\nHint: For instance 10m.\n")
    assert str(raised.value) == "--age soon is not a time."


def test_without_a_hint_there_is_no_note() -> None:
    assert not hasattr(HookError("It is so."), "__notes__")
