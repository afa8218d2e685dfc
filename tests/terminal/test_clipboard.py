from base64 import b64decode
from pathlib import Path

import pytest

from tiktok_hook.terminal import clipboard

URL = "https://x.ngrok.app/hook"


def tool(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder}:/usr/bin:/bin", "OUT": str(folder / "copied"), **more}


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wl-copy"),
        ({"DISPLAY": ":0"}, "xclip"),
        ({"DISPLAY": ":0"}, "xsel"),
        ({"TMUX": "/tmp/tmux,1,0"}, "tmux"),
        ({"TMUX": "/tmp/tmux,1,0", "SSH_TTY": "/dev/pts/1"}, "tmux"),
        ({"WSL_DISTRO_NAME": "Debian"}, "clip.exe"),
    ],
)
def test_the_system_s_tool_gets_the_text_and_is_named(
    variables: dict[str, str], name: str, tmp_path: Path
) -> None:
    tool(tmp_path, name, 'cat > "$OUT"')
    here = environment(tmp_path, **variables) | {"PATH": f"{tmp_path}:/bin"}
    assert clipboard.copy(URL, environment=here) == name
    assert (tmp_path / "copied").read_text() == URL


def test_a_tool_that_fails_is_followed_by_the_next(tmp_path: Path) -> None:
    tool(tmp_path, "xclip", "exit 1")
    tool(tmp_path, "xsel", 'cat > "$OUT"')
    here = environment(tmp_path, DISPLAY=":0")
    assert clipboard.copy(URL, environment=here) == "xsel"


def test_a_tool_that_stays_in_the_background_holds_up_nothing(tmp_path: Path) -> None:
    tool(tmp_path, "xclip", "cat >/dev/null; sleep 30 & exit 0")
    assert clipboard.copy(URL, environment=environment(tmp_path, DISPLAY=":0")) == "xclip"


@pytest.mark.parametrize(
    "variables",
    [{}, {"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}],
    ids=["no display", "over ssh"],
)
def test_without_a_clipboard_tool_for_the_user_nothing_is_copied(
    variables: dict[str, str], tmp_path: Path
) -> None:
    tool(tmp_path, "xclip", 'cat > "$OUT"')
    here = environment(tmp_path, **variables)
    assert clipboard.copy(URL, environment=here) is None
    assert not (tmp_path / "copied").exists()


def test_the_terminal_is_asked_with_the_text_in_base64() -> None:
    code = clipboard.osc52(URL)
    assert code.startswith("\x1b]52;c;")
    assert b64decode(code[len("\x1b]52;c;") : -1]).decode() == URL
