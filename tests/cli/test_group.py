"""What a mistyped command or option gets."""

import pytest

from tests.cli.in_process import run


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["lisen"], "There is no command 'lisen'.", "Did you mean listen?"),
        (["aud"], "There is no command 'aud'.", "Did you mean audit?"),
        (["zzz"], "There is no command 'zzz'.", "tiktok-hook --help lists the commands."),
        (
            ["post.publish.complete"],
            "There is no command 'post.publish.complete'.",
            "To send a sample of an event: tiktok-hook trigger post.publish.complete",
        ),
        (
            ["listen", "--forward-too", "3000"],
            "tiktok-hook listen has no option --forward-too.",
            "Did you mean --forward-to or --forward-timeout?",
        ),
        (
            ["listen", "--no-tunel"],
            "listen has no option --no-tunel.",
            "Did you mean --no-tunnel or --tunnel?",
        ),
        (
            ["sign", "--retry-like-tiktok"],
            "sign has no option --retry-like-tiktok.",
            "Another command has it: trigger.",
        ),
        (["sign", "--zzz"], "sign has no option --zzz.", "sign --help lists its options."),
        (["help", "lisen"], "There is no command 'lisen'.", "Did you mean listen?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_word_gets_the_one_that_was_meant(
    words: list[str], error: str, hint: str
) -> None:
    result = run(*words)
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: ")
    assert first.endswith(error)
    assert second.startswith("Hint: ")
    assert second.endswith(hint)


def test_an_option_before_the_command_is_still_click_s() -> None:
    assert "No such option" in run("--zzz", "listen").stderr
