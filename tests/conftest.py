"""What every test starts from: a clean environment and a home folder of its own."""

import os
import signal
from pathlib import Path

import pytest

from tests import conditions, fuzzing

fuzzing.register()

# A shell that is not interactive lets what it starts with `&` ignore Ctrl-C, and all that this
# starts in turn; the tests that press Ctrl-C would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    conditions.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    conditions.configure(config)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; no setting, secret or token of the developer's own machine."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("TIKTOK_", "NGROK_", "XDG_")) or name in {"NO_COLOR", "FORCE_COLOR"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "100")
    return folder
