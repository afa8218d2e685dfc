from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tiktok_hook import settings
from tiktok_hook.errors import UsageError

SECRET = "tiktok-client-secret"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["none", "unix", "windows"])
def test_the_line_break_at_a_files_end_is_not_part_of_the_secret(
    tmp_path: Path, ending: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes((SECRET + ending).encode())
    assert settings.secret_from_file(file) == SECRET


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"secret-file-x cannot be read"):
        settings.secret_from_file(tmp_path / "secret-file-x")


def test_given_secrets_keep_the_environment_out(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("second-secret")
    environment = {settings.SECRET_VARIABLE: "third-secret"}
    found = settings.find_secrets(["first-secret", "first-secret"], [file], environment=environment)
    assert found.values == ("first-secret", "second-secret")


def test_the_environment_may_hold_several_secrets() -> None:
    environment = {settings.SECRET_VARIABLE: "secret-one secret-two"}
    assert settings.find_secrets([], [], environment=environment).values == (
        "secret-one",
        "secret-two",
    )


@pytest.mark.parametrize(
    "value",
    [
        f"{SECRET} # sandbox app",
        f"{SECRET} #sandbox",
        "# sandbox app",
        f"export TIKTOK_CLIENT_SECRET={SECRET}",
        f"TIKTOK_CLIENT_SECRET={SECRET}",
    ],
)
def test_what_an_env_file_has_around_a_secret_never_becomes_a_key(value: str) -> None:
    with pytest.raises(UsageError, match=settings.SECRET_VARIABLE) as caught:
        settings.find_secrets([], [], environment={settings.SECRET_VARIABLE: value})
    assert SECRET not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "content",
    [
        f"TIKTOK_CLIENT_SECRET={SECRET}\n",
        f"# production\nTIKTOK_CLIENT_SECRET={SECRET}\n",
        f"{SECRET} # production\n",
        f"\ufeff{SECRET}\n",
    ],
    ids=["assignment", "comment-line", "comment-behind", "byte-order-mark"],
)
def test_an_env_file_is_not_a_secret_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content, "utf-8")
    with pytest.raises(UsageError) as caught:
        settings.secret_from_file(file)
    assert SECRET not in f"{caught.value} {caught.value.hint}"


def test_an_empty_variable_is_an_error_and_not_a_pass() -> None:
    with pytest.raises(UsageError, match="TIKTOK_CLIENT_SECRET is empty"):
        settings.find_secrets([], [], environment={settings.SECRET_VARIABLE: " "})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all cases."""
    return tmp_path_factory.mktemp("settings") / "file"


@fuzzing.one_in(2)
@given(
    st.binary(max_size=30)
    | st.text(st.characters(max_codepoint=0x300), max_size=12).map(str.encode)
)
def test_any_secret_file_holds_a_secret_that_can_be_one_or_is_not_shown(
    place: Path, content: bytes
) -> None:
    place.write_bytes(content)
    try:
        secret = settings.secret_from_file(place)
    except UsageError as error:
        text = content.decode("utf-8", "replace").strip()
        fuzzing.check_error(error, without=text if len(text) > 4 else "")
    else:
        assert secret.isprintable()
        assert not any(character.isspace() for character in secret)
        assert content.decode().rstrip("\r\n") == secret
