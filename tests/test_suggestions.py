import pytest

import tiktok_hook
from tiktok_hook.suggestions import did_you_mean, nearest

WORDS = ("listen", "audit", "events", "export")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("lisen", ["listen"]),
        ("LISTEN", ["listen"]),
        ("aud", ["audit"]),
        ("ex", ["export"]),
        ("event", ["events"]),
        ("x", []),
        ("", []),
        ("something-unlike", []),
        ("l" * 1_000_000, []),
    ],
)
def test_similar_words_are_suggested(word: str, expected: list[str]) -> None:
    assert nearest(word[:20] if len(word) < 100 else word, WORDS) == expected


def test_the_hint_names_at_most_two() -> None:
    assert did_you_mean("event", ("events", "eventual", "even")) == (
        "Did you mean events or eventual?"
    )
    assert did_you_mean("zzz", WORDS) == ""


def test_known_words_keep_their_case() -> None:
    assert nearest("forward_too", ("FORWARD_TO",)) == ["FORWARD_TO"]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("audit", "play_blocking"),
        ("doctor", "examine_blocking"),
        ("trigger", "run_blocking"),
    ],
)
def test_calling_a_module_names_the_function_that_is_meant(name: str, instead: str) -> None:
    module = getattr(tiktok_hook, name)
    assert callable(getattr(module, instead))
    with pytest.raises(
        TypeError, match=rf"^tiktok_hook\.{name} is a module\. Call {name}.{instead}"
    ):
        module("post.publish.complete")
