from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiktok_hook
from tests.cli.runner import invoke
from tiktok_hook import audit, session, trigger
from tiktok_hook.errors import UsageError
from tiktok_hook.signature import checked_secret, checked_secrets
from tiktok_hook.testing import TiktokWebhook, signed

SECRET = "tiktok-client-secret"

UNUSABLE = {
    "empty": ("", "is empty"),
    "blank": ("  ", "is empty"),
    "comment": ("#", "begins with #"),
    "comment-with-words": ("# production app", "begins with #"),
    "indented-comment": ("  #production", "begins with #"),
    "assignment": ("TIKTOK_CLIENT_SECRET=0123456789", "NAME=value"),
    "exported-assignment": ("export SECRET=0123456789", "NAME=value"),
    "spaced-assignment": ("secret = 0123456789", "NAME=value"),
    "empty-assignment": ("TIKTOK_CLIENT_SECRET=", "NAME=value"),
    "name-alone": ("TIKTOK_CLIENT_SECRET", "NAME=value"),
    "shell-variable": ("$TIKTOK_CLIENT_SECRET", "placeholder"),
    "braces": ("${TIKTOK_CLIENT_SECRET}", "placeholder"),
    "template": ("{{client_secret}}", "placeholder"),
    "angle-brackets": ("<your-client-secret>", "placeholder"),
    "windows-variable": ("%TIKTOK_CLIENT_SECRET%", "placeholder"),
    "batch-variable": ("%%SECRET%%", "placeholder"),
    "stars": ("********", "placeholder"),
    "crosses": ("XXXXXXXXXXXX", "placeholder"),
    "undefined": ("undefined", "placeholder"),
    "change-me": ("ChangeMe", "placeholder"),
    "your-secret": ("your_client_secret", "placeholder"),
    "its-name": ("client_secret", "placeholder"),
    "slashes": ("//production", "begins with //"),
    "semicolon": (";production", "begins with ;"),
    "dashes": ("--next-option", "begins with --"),
    "yaml": ("client_secret:0123456789", "NAME=value"),
    "json": ('"client_secret":"0123456789"', "quotes"),
    "yaml-in-capitals": ("TIKTOK_CLIENT_SECRET:0123456789", "NAME=value"),
    "yaml-in-camel-case": ("clientSecret:0123456789", "NAME=value"),
    "block-comment": ("/*production*/", "begins with /"),
    "full-width-comment": ("\uff03production", "begins with"),
    "password-manager": ("op://vault/item/field", "reference to a secret"),
    "secrets-of-a-cloud": ("arn:aws:secretsmanager:eu-1:1:secret:x", "reference to a secret"),
    "secrets-of-another-cloud": ("projects/1/secrets/x", "reference to a secret"),
    "encrypted": ("ENC[AES256,data:0123]", "reference to a secret"),
    "file": ("file:///run/secrets/tiktok", "reference to a secret"),
    "the-word": ("PLACEHOLDER", "placeholder"),
    "in-brackets": ("[REDACTED]", "placeholder"),
    "counting": ("123456789", "placeholder"),
    "curly-quotes": (f"\u201c{SECRET}\u201d", "quotes"),
    "short": ("abc", "too short"),
    "inner-space": ("two words", "whitespace"),
    "space-behind": (f"{SECRET} ", "whitespace"),
    "newline": (f"{SECRET}\n", "whitespace"),
    "byte-order-mark": (f"\ufeff{SECRET}", "control characters"),
    "nul": (f"{SECRET}\x00", "control characters"),
    "quotes": (f'"{SECRET}"', "quotes"),
    "backticks": (f"`{SECRET}`", "quotes"),
}


@pytest.mark.parametrize(("text", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_text_that_cannot_be_a_secret_is_rejected_and_not_shown(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        checked_secret(text, where="--secret-file")
    assert "--secret-file" in str(caught.value)
    if len(text.strip()) > 6 and text.strip("\n ") != "TIKTOK_CLIENT_SECRET":
        assert text.strip() not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "s3cret",
        "0123456789abcdef0123456789abcdef",
        "a+b/c0==",
        "é-secret",
        "yours012345",
        "x:y0/z",
        "keyless:9",
        "example-7",
    ],
)
def test_a_text_that_can_be_a_secret_is_returned_unchanged(text: str) -> None:
    assert checked_secret(text, where="--secret") == text


def test_one_secret_or_several_become_a_tuple() -> None:
    assert checked_secrets(SECRET) == (SECRET,)
    assert checked_secrets([SECRET, "another-secret"]) == (SECRET, "another-secret")
    assert checked_secrets(()) == ()


def test_a_secret_that_is_not_a_text_is_a_usage_error() -> None:
    wrong: Any = [b"bytes-are-no-text"]
    with pytest.raises(UsageError, match="of type bytes"):
        checked_secrets(wrong)


PYTHON: dict[str, Callable[[str], object]] = {
    "listen": lambda secret: tiktok_hook.listen(secret=secret, tunnel=False),
    "listen-several": lambda secret: tiktok_hook.listen(secret=[SECRET, secret], tunnel=False),
    "inspect": lambda secret: session.inspect(secrets=[secret]).__aenter__().send(None),
    "trigger": lambda secret: trigger.request("http://127.0.0.1:1", b"{}", secret=secret),
    "audit": lambda secret: audit.play("3000", secret=secret).send(None),
    "signed": lambda secret: signed(b"{}", secret),
    "fixture": lambda secret: TiktokWebhook()("3000", secret=secret),
}


@pytest.mark.parametrize("call", PYTHON.values(), ids=PYTHON)
@pytest.mark.parametrize("text", ["", "# sandbox", "NAME=value", "abc"])
def test_python_takes_no_unusable_secret(call: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError, match="client secret"):
        call(text)


def test_a_comment_never_verifies_a_delivery() -> None:
    body = b"{}"
    header = tiktok_hook.sign(body, "#", timestamp=1_700_000_000)
    verdict = tiktok_hook.check(header, body, [SECRET, "#"], now=1_700_000_000)
    assert verdict.state is tiktok_hook.State.INVALID


@pytest.mark.parametrize(
    ("arguments", "stdin", "environment", "config"),
    [
        (["--secret", "# sandbox"], b"", {}, ""),
        (["--secret-file", "secret"], b"", {}, ""),
        (["--secret", "-"], b"NAME=0123456789\n", {}, ""),
        ([], b"", {"TIKTOK_CLIENT_SECRET": "s3cret # sandbox app"}, ""),
        ([], b"", {"TIKTOK_HOOK_SECRET": "s3cret # sandbox app"}, ""),
        ([], b"", {}, 'secret = "s3cret # sandbox app"\n'),
        ([], b"", {}, 'secret-file = "secret"\n'),
    ],
    ids=["option", "file", "stdin", "variable", "own-variable", "config", "file-in-config"],
)
def test_the_command_line_takes_no_unusable_secret(
    arguments: list[str],
    stdin: bytes,
    environment: dict[str, str],
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Path("secret").write_text("TIKTOK_CLIENT_SECRET=0123456789\n")
    Path("config.toml").write_text(config)
    Path("body").write_bytes(b"{}")
    done = invoke("sign", "--body", "body", "--config", "config.toml", *arguments, stdin=stdin)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: The client secret from ")
    assert "0123456789" not in done.output
