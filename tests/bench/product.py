"""The real ``tiktok-hook``, run as a user runs it, with folders of its own."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.load import SECRET
from tests.bench.programs import Program, free_port, running


def environment(folder: Path) -> dict[str, str]:
    """Variables with which a command finds only what lies in `folder`."""
    homes = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return {
        **{name: str(folder / name.lower()) for name in homes},
        "HOME": str(folder),
        "TIKTOK_CLIENT_SECRET": SECRET,
        "TERM": "xterm-256color",
    }


def words(*arguments: str | Path) -> list[str | Path]:
    """A command line of the product, by the script that pip made."""
    return [Path(sys.executable).with_name("tiktok-hook"), *arguments]


@contextmanager
def listening(
    folder: Path,
    *options: str | Path,
    core: int | None,
    screen: bool = True,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """``listen --no-tunnel`` with its history in `folder`, everything else as it is by itself.

    Args:
        folder: A folder on the disk to measure; a fresh one is made in it.
        options: More options.
        core: Where it runs.
        screen: It shows deliveries in full on a pseudo-terminal; else output goes to /dev/null.
        variables: More of the environment.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(dir=folder, prefix="history-") as home:
        basics = ["listen", "--no-tunnel", "--port", str(port), "--inspect-port", "0"]
        with running(
            words(*basics, *options),
            core=core,
            port=port,
            screen=screen,
            environment={**environment(Path(home)), **(variables or {})},
            folder=Path(home),
        ) as program:
            yield program


def forget_settings() -> None:
    """Drop the user's own settings from the environment that programs inherit."""
    for name in [name for name in os.environ if name.startswith(("TIKTOK_", "NGROK_"))]:
        del os.environ[name]
