"""The real ``tiktok-hook``, run as a user runs it, with folders of its own."""

import compileall
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import psycopg_binary

import tiktok_hook
from tests.bench.load import SECRET
from tests.bench.programs import HERE, Program, Words, free_port, running

Command = Callable[[int], Words]
"""Gives the command line of something that is to listen on a port."""


def environment(folder: Path) -> dict[str, str]:
    """Variables with which a command finds only what is in `folder`."""
    homes = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return {
        **{name: str(folder / name.lower()) for name in homes},
        "HOME": str(folder),
        "TIKTOK_CLIENT_SECRET": SECRET,
        "TERM": "xterm-256color",
    }


def script() -> Path:
    """The program that pip made."""
    return Path(sys.executable).with_name("tiktok-hook")


def listen(*options: str | Path) -> Command:
    """``listen`` without tunnel; every other option has its default."""
    return lambda port: [script(), "listen", "--no-tunnel", *_ports(port), *options]


def attach(*options: str | Path) -> Command:
    """``attach``; the port is that of its inspector."""
    return lambda port: [script(), "attach", "--inspect-port", str(port), *options]


def tunnelled(*options: str | Path) -> Command:
    """``listen`` with its tunnel."""
    return lambda port: [script(), "listen", *_ports(port), *options]


def commit_each(*options: str | Path) -> Command:
    """``listen`` without tunnel, one commit for each delivery."""
    program: Words = [sys.executable, HERE / "peers" / "single.py"]
    return lambda port: [*program, "listen", "--no-tunnel", *_ports(port), *options]


def quiet() -> Command:
    """The same session from Python: nothing is printed."""
    return lambda port: [sys.executable, HERE / "peers" / "quiet.py", str(port)]


def _ports(port: int) -> Words:
    return ["--port", str(port), "--inspect-port", "0"]


@contextmanager
def running_product(
    command: Command,
    folder: Path,
    *,
    core: int | None,
    variables: Mapping[str, str] | None = None,
    seen: Callable[[bytes], None] | None = None,
) -> Iterator[Program]:
    """Run it on a pseudo-terminal, with a new history on the disk that `folder` is on.

    Args:
        command: `listen`, `tunnelled`, `commit_each` or `quiet`.
        folder: Where to make a folder for this run.
        core: Where it runs.
        variables: More of the environment.
        seen: Called with all that it prints, by the thread that reads the terminal.
    """
    port = free_port()
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="history-") as home,
        running(
            command(port),
            core=core,
            port=port,
            environment={**environment(Path(home)), **(variables or {})},
            folder=Path(home),
            seen=seen,
        ) as program,
    ):
        yield program


def compile_modules() -> None:
    """Compile packages as pip does when it installs them; those of a checkout may be old."""
    for package in (tiktok_hook, psycopg, psycopg_binary):
        compileall.compile_dir(str(Path(package.__file__ or "").parent), quiet=2)


def forget_settings() -> None:
    """Drop the user's own settings from the environment that programs inherit."""
    others = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG"}
    for name in list(os.environ):
        if name.startswith(("TIKTOK_", "NGROK_")) or name in others:
            del os.environ[name]
