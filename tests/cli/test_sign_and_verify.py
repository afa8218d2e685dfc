import asyncio
from pathlib import Path

import pytest

from tests.cli.runner import invoke
from tiktok_hook.delivery import Delivery
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import open_store

SECRET = "tiktok-client-secret"
BODY = (
    b'{"client_key":"awexampleclient1","event":"post.publish.publicly_available",'
    b'"create_time":1756684800,"user_openid":"-000ExampleOpenIdExampleOpenIdExampl",'
    b'"content":"{\\"publish_id\\":\\"v_pub_file~v2-1.7545200000000000001\\",'
    b'\\"publish_type\\":\\"DIRECT_PUBLISH\\",\\"post_id\\":\\"7545201234567890123\\"}"}'
)
SIGNED = "t=1756684801,s=267c1900434b1543d98926e2edf4557e82598074464ec99964895ba6d45c5123"


@pytest.fixture
def body(tmp_path: Path) -> str:
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    return str(file)


def test_sign_prints_the_whole_header_line(body: str) -> None:
    result = invoke("sign", "--secret", SECRET, "--body", body, "--timestamp", "1756684801")
    assert (result.exit_code, result.stdout) == (0, f"Tiktok-Signature: {SIGNED}\n")


def test_sign_reads_the_body_from_a_pipe() -> None:
    result = invoke(
        "sign", "--secret", SECRET, "--body", "-", "--timestamp", "1756684801", stdin=BODY
    )
    assert SIGNED in result.stdout


def test_what_sign_prints_verifies(body: str) -> None:
    line = invoke("sign", "--secret", SECRET, "--body", body).stdout.strip()
    result = invoke("verify", "--secret", SECRET, "--body", body, "--header", line)
    assert (result.exit_code, result.stdout) == (0, "valid\n")


def test_verify_names_a_stale_signature_and_exits_with_1(body: str) -> None:
    result = invoke("verify", "--secret", SECRET, "--body", body, "--header", SIGNED)
    assert result.exit_code == 1
    assert result.stdout.startswith("stale: ")


def test_verify_accepts_any_age_that_was_asked_for(body: str) -> None:
    result = invoke(
        "verify", "--secret", SECRET, "--body", body, "--header", SIGNED, "--tolerance", "1e12"
    )
    assert (result.exit_code, result.stdout) == (0, "valid\n")


def test_verify_names_the_mistake_and_never_the_secret(body: str) -> None:
    body_alone = "c1d191509cf77ea0b1870585141f6ada2237e3c01f85c83ef26d1bed8abe8f8e"
    result = invoke(
        "verify", "--secret", SECRET, "--body", body, "--header", f"t=1756684801,s={body_alone}"
    )
    assert result.exit_code == 1
    assert result.stdout.startswith("invalid: ")
    assert "body alone" in result.stdout
    assert SECRET not in result.output


def test_verify_sees_a_wrong_header_name(body: str) -> None:
    result = invoke(
        "verify", "--secret", SECRET, "--body", body, "--header", f"X-TikTok-Signature: {SIGNED}"
    )
    assert result.exit_code == 1
    assert result.stdout.startswith("missing: ")
    assert "Tiktok-Signature" in result.output


def test_the_secret_comes_from_the_environment(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", SECRET)
    assert invoke("sign", "--body", body, "--timestamp", "1756684801").stdout.endswith(
        SIGNED + "\n"
    )


def test_the_secret_comes_from_the_settings_file(body: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'secret = ["{SECRET}"]\n[listen]\nkeep = 5\n')
    line = invoke("sign", "--body", body, "--timestamp", "1756684801", "--config", str(config))
    assert line.stdout.endswith(SIGNED + "\n"), line.output


def test_no_secret_is_a_usage_error_with_three_ways(body: str) -> None:
    result = invoke("sign", "--body", body)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: No client secret was given.\nHint: ")


def test_a_body_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.json")
    result = invoke("sign", "--secret", SECRET, "--body", missing)
    assert result.exit_code == 2
    assert "cannot be read: No such file or directory." in result.stderr


def test_a_prompted_secret_comes_from_the_first_line_of_a_pipe(body: str) -> None:
    result = invoke(
        "sign", "--secret", "-", "--body", body, "--timestamp", "1756684801",
        stdin=f"{SECRET}\n".encode(),
    )  # fmt: skip
    assert result.stdout.endswith(SIGNED + "\n")


@pytest.fixture
def history(tmp_path: Path) -> str:
    """A history with a delivery that was rejected under another secret, and a cut one."""
    db = tmp_path / "history.db"
    signed = Delivery(
        received_at=1756684805.0, path="/", headers=(("tiktok-signature", SIGNED),), body=BODY
    )

    async def fill() -> None:
        with open_store(db) as store:
            await store.add(signed)

    asyncio.run(fill())
    return str(db)


@pytest.mark.parametrize(
    ("secret", "code", "words"),
    [(SECRET, 0, "valid\n"), ("another-example-secret", 1, "invalid: ")],
)
def test_a_stored_delivery_is_checked_with_another_secret(
    history: str, secret: str, code: int, words: str
) -> None:
    for word in ("1", "last"):
        result = invoke("verify", word, "--db", history, "--secret", secret)
        assert (result.exit_code, result.stdout[: len(words)]) == (code, words)
        assert SECRET not in result.output


def test_what_was_rejected_wrongly_can_be_replayed(tmp_path: Path) -> None:
    rejected = Delivery(
        received_at=1756684805.0,
        headers=(("tiktok-signature", SIGNED),),
        body=BODY,
        verdict=Verdict(State.INVALID, reason="does not match"),
        status=403,
    )

    async def fill() -> None:
        with open_store(tmp_path / "history.db") as store:
            await store.add(rejected)

    asyncio.run(fill())
    db = str(tmp_path / "history.db")
    right = invoke("verify", "1", "--db", db, "--secret", SECRET)
    assert "tiktok-hook replay 1 --secret - sends it to your app." in right.stderr
    wrong = invoke("verify", "1", "--db", db, "--secret", "another-example-secret")
    assert "replay" not in wrong.stderr
    sent = ["replay", "1", "--db", db, "--secret", SECRET, "--with-id", "--to", "3999", "--dry-run"]
    shown = invoke(*sent)
    assert shown.exit_code == 0, shown.output
    assert "Tiktok-Hook-Replay-Of: 1" in shown.stdout
    assert "tiktok-signature: t=" in shown.stdout


def test_an_id_and_a_header_exclude_each_other(history: str, body: str) -> None:
    for more in (["--header", SIGNED], ["--body", body]):
        result = invoke("verify", "1", "--db", history, "--secret", SECRET, *more)
        assert result.exit_code == 2
        assert "exclude each other" in result.stderr


def test_verify_needs_something_to_check(body: str) -> None:
    result = invoke("verify", "--secret", SECRET, "--body", body)
    assert result.exit_code == 2
    assert "needs --header and --body, or the ID" in result.stderr


def test_an_unknown_id_is_a_usage_error(history: str) -> None:
    assert invoke("verify", "9", "--db", history, "--secret", SECRET).exit_code == 2


def test_verify_reads_a_header_as_it_was_copied(body: str) -> None:
    for text in (f"'tiktok-signature': '{SIGNED}',", f"HTTP_TIKTOK_SIGNATURE: {SIGNED}"):
        result = invoke(
            "verify", "--secret", SECRET, "--body", body, "--header", text, "--tolerance", "1e12"
        )
        assert (result.exit_code, result.stdout) == (0, "valid\n")
