"""The authtoken that was typed and kept."""

import os
import stat
from pathlib import Path

import pytest

from tiktok_hook.credentials import credentials_file, keep_authtoken, read_authtoken
from tiktok_hook.errors import StoreError, UsageError

TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"

pytestmark = pytest.mark.usefixtures("home")


def test_without_a_file_there_is_none() -> None:
    assert read_authtoken() is None


@pytest.mark.parametrize("token", [TOKEN, 'a "quoted" \\ one', "\u00e4\t"])
def test_what_is_kept_is_read_again_and_replaced_by_the_next(token: str) -> None:
    keep_authtoken("an earlier one")
    file = keep_authtoken(token)
    assert file == credentials_file()
    assert read_authtoken() == token.strip()
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_only_the_owner_can_read_the_file() -> None:
    file = keep_authtoken(TOKEN)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    with pytest.raises(UsageError, match="can be read by other users") as caught:
        read_authtoken()
    assert TOKEN not in f"{caught.value} {caught.value.hint}"
    file.chmod(0o602)
    with pytest.raises(UsageError, match="can be written to by other users"):
        read_authtoken()


@pytest.mark.parametrize(
    "content", [TOKEN.encode(), f"ngrok_authtoken = {TOKEN}".encode(), b"other = 1", b"\xff", b""]
)
def test_a_broken_file_is_a_usage_error_that_quotes_nothing(content: bytes) -> None:
    keep_authtoken(TOKEN).write_bytes(content)
    with pytest.raises(UsageError, match="credentials file") as caught:
        read_authtoken()
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


def test_a_folder_that_cannot_be_made_is_a_store_error(home: Path) -> None:
    credentials_file().parent.parent.mkdir(parents=True, exist_ok=True)
    credentials_file().parent.write_text("a file in the folder's place")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        keep_authtoken(TOKEN)
    assert TOKEN not in f"{caught.value} {caught.value.hint}"
