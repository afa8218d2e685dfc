"""Opens the inspector in the user's browser, without ever delaying what receives."""

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
sys.exit(0 if found.open(sys.stdin.read()) else 1)
"""
"""Run in a process of its own: `webbrowser` waits for some browsers to end, and lets them write on
the terminal. The address comes through stdin, since it contains the token. A browser that draws in
the terminal is not used: the terminal belongs to the session."""


def open_page(url: str, failed: Callable[[], None]) -> None:
    """Open an address; returns at once.

    Args:
        url: With the token.
        failed: Called on another thread when there is no graphical browser.
    """

    def run() -> None:
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-c", _PROGRAM],
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

    # A daemon: a browser that stays open does not keep the session from ending.
    threading.Thread(target=run, name="browser", daemon=True).start()
