"""Copies text to the clipboard, and returns how: terminals never confirm what they are sent."""

import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping

_SECONDS = 2.0


def copy(text: str, *, environment: Mapping[str, str] | None = None) -> str | None:
    """Copy the text with a tool of this system; takes two seconds at most.

    Args:
        text: What to copy.
        environment: Variables that name the display; None for our own.

    Returns:
        The name of the tool that did it; None if there is none, or none that worked.
    """
    variables = os.environ if environment is None else environment
    for command in _tools(variables):
        program = shutil.which(command[0], path=variables.get("PATH"))
        if program is None:
            continue
        try:
            done = subprocess.run(  # noqa: S603 - fixed commands, the text goes through stdin
                [program, *command[1:]],
                input=text.encode(),
                # xclip stays in the background with the streams that it inherited.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
                start_new_session=True,
                env=dict(variables),
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return command[0]
    return None


def osc52(text: str) -> str:
    """Return the escape sequence that asks the terminal itself to copy the text, also over ssh."""
    return f"\x1b]52;c;{b64encode(text.encode()).decode('ascii')}\x07"


def _tools(variables: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield the commands that can reach the clipboard of the person at the terminal.

    Over ssh the tools of this machine reach its own clipboard only, which is not theirs.
    """
    if variables.get("TMUX"):
        yield "tmux", "load-buffer", "-w", "-"
    if variables.get("SSH_CONNECTION") or variables.get("SSH_TTY"):
        return
    if sys.platform == "darwin":
        yield ("pbcopy",)
    if variables.get("WAYLAND_DISPLAY"):
        yield ("wl-copy",)
    if variables.get("DISPLAY"):
        yield "xclip", "-selection", "clipboard"
        yield "xsel", "--clipboard", "--input"
    if sys.platform == "win32" or variables.get("WSL_DISTRO_NAME"):
        yield ("clip.exe",)
    if variables.get("TERMUX_VERSION"):
        yield ("termux-clipboard-set",)
