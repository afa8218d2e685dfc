"""`listen` without a usable authtoken: the reason is in the error, and nothing connects."""

from pathlib import Path

import pytest

from tests.cli.runner import invoke


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("authtoken: <YOUR_AUTHTOKEN>\n", "FILE has a placeholder in place of an authtoken."),
        (
            "authtoken: ${NGROK_AUTHTOKEN}\n",
            "FILE names the variable NGROK_AUTHTOKEN, which ngrok does not expand.",
        ),
        ("version: 3\n", "none was given."),
    ],
    ids=["placeholder", "variable", "none"],
)
def test_a_placeholder_in_place_of_the_token_is_named(home: Path, text: str, reason: str) -> None:
    file = home / ".config" / "ngrok" / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    result = invoke("listen", "--port", "0", "--inspect-port", "0")
    assert (result.exit_code, result.stdout) == (3, "")
    first = result.stderr.splitlines()[0].replace(str(file), "FILE")
    assert first == f"Error: The tunnel needs an ngrok authtoken, and {reason}"
