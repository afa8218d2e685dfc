import pytest

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
