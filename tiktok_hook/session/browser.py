"""Opens the inspector in the user's browser without blocking the receiver."""

import subprocess
import sys
import threading
from collections.abc import Callable

_PROGRAM = """
import os, sys, webbrowser
try:
    found = webbrowser.get()
except webbrowser.Error:
    sys.exit(1)
name = os.path.basename(getattr(found, "basename", "") or getattr(found, "name", "") or "")
if name in {"www-browser", "w3m", "lynx", "links", "elinks"}:
    sys.exit(1)
sys.exit(int(not found.open(sys.stdin.read())))
"""
"""Runs in a child process because `webbrowser` waits for some browsers to exit and lets them write
to the terminal. The URL is sent through stdin because it contains the token, and -P keeps a file
webbrowser.py in the working directory from receiving it. Text-mode browsers are skipped: they would
draw over the session's output."""


def open_page(url: str, failed: Callable[[], None]) -> None:
    """Open a URL in the browser. Returns immediately.

    Args:
        url: The URL, including the token.
        failed: Called on another thread when no graphical browser could be opened.
    """

    def run() -> None:
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-P", "-c", _PROGRAM],
                input=url.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                check=False,
            )
        except OSError:
            failed()
        else:
            if done.returncode:
                failed()

    # A daemon thread, so that a browser that stays open does not block shutdown.
    threading.Thread(target=run, name="browser", daemon=True).start()
