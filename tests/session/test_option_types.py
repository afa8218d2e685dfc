"""Arguments of `listen` in Python that have another type than their option."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tiktok_hook.errors import UsageError
from tiktok_hook.session import ListenOptions


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"routes": [("post.*",)]}, "routes is not a list of pairs of strings."),
        ({"routes": ("post.*", "3000")}, "routes is not a list of pairs of strings."),
        ({"routes": [("post.*", 3000)]}, "routes is not a list of pairs of strings."),
        ({"answers": {"post.*": "500"}}, "answers is not a list of pairs of strings."),
        ({"forward_to": [3000, None]}, "forward_to is not a string or a whole number or a list of"),
        ({"port": "x"}, "port is not a whole number or None."),
        ({"port": True}, "port is not a whole number or None."),
        ({"keep": "all"}, "keep is not a whole number."),
        ({"tolerance": "x"}, "tolerance is not a number or None."),
        ({"path": 5}, "path is not a string."),
        ({"serve_file": 5}, "serve_file is not a path or None."),
        ({"ephemeral": "no"}, "ephemeral is not True or False."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_argument_of_another_type_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ListenOptions(**given)
    assert str(caught.value).startswith(message)
    assert repr(next(iter(given.values()))) in caught.value.hint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keep": 0}, "keep=0 is less than 1."),
        ({"forward_timeout": float("nan"), "forward_to": 3000}, "forward_timeout=nan is less than"),
        ({"max_body_bytes": -1}, "max_body_bytes=-1 is less than 1."),
        ({"command": "npm start", "forward_to": 3000}, "command is text, not a list of words."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_argument_that_the_command_line_rejects_is_named(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ListenOptions(**given)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["secret", "authtoken", "headers"])
def test_a_secret_of_another_type_is_not_shown(name: str) -> None:
    given: dict[str, Any] = {name: 51966}
    with pytest.raises(UsageError, match=r"is not a (string|list of strings)") as caught:
        ListenOptions(**given)
    assert "51966" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint == "Its type is int."


def test_all_forms_that_a_type_allows_are_taken() -> None:
    options = ListenOptions(
        forward_to=(3000, "3001"),
        routes=(["post.*", "3002"],),  # type: ignore[arg-type] # a list for a pair, as from JSON
        tolerance=300,
        retry_for=timedelta(hours=1),
        db=Path("history.db"),
        verify_webhook=None,
    )
    assert len(options.targets) == 3
