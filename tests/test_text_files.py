"""Files that users name: whatever they are, they are read with a limit or are an error."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.in_process import run
from tiktok_hook import ngrok_config
from tiktok_hook.cli.options import read_body
from tiktok_hook.errors import UsageError
from tiktok_hook.settings import secret_from_file
from tiktok_hook.settings.config_file import read_config
from tiktok_hook.text_files import read_bytes
from tiktok_hook.tunnel.options import TunnelOptions
from tiktok_hook.tunnel.order import checked_cas

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")

WAYS: dict[str, Callable[[Path], object]] = {
    "body": lambda file: read_body(str(file)),
    "secret": secret_from_file,
    "settings": lambda file: read_config(file, default=file),
    "policy": lambda file: TunnelOptions(traffic_policy=file).policy_text,
    "certificates": lambda file: checked_cas(str(file)),
    "ngrok": ngrok_config.read,
    "own": lambda file: read_bytes(file, what="file", max_bytes=100),
}


def odd(kind: str, folder: Path) -> Path:
    """Something that is not a file with text."""
    file = folder / kind
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "device":
            return Path("/dev/zero")
        case "folder":
            file.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind(os.path.relpath(file))
        case "links":
            file.symlink_to(file)
        case "long-name":
            return folder / ("x" * 300)
        case "sparse":
            with file.open("wb") as stream:
                stream.truncate(5 << 30)
    return file


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", ["device", "folder", "socket", "links", "long-name", "sparse"])
def test_an_odd_file_is_an_error_and_holds_up_nothing(
    way: Callable[[Path], object], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        way(odd(kind, tmp_path))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["trigger", "--to", "1", "--secret", "tiktok-client-secret", "--scenario"], "long-name"),
        (["events", "--db"], "long-name"),
        (["events", "--db"], "root"),
        (["listen", "--no-tunnel", "--ephemeral", "--serve-file"], "long-name"),
        (["audit", "1", "--secret", "tiktok-client-secret", "--junit"], "pipe"),
        (["agent", "install", "--dir"], "links"),
    ],
)
@pytest.mark.timeout(60)
def test_a_command_ends_with_one_sentence(words: list[str], kind: str, tmp_path: Path) -> None:
    done = run(*words, "/" if kind == "root" else str(odd(kind, tmp_path)))
    assert done.exit_code not in {0, 1}, done.output
    assert "Error: " in done.stderr
    assert "Traceback" not in done.output
