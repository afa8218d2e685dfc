"""What every test starts from: a clean environment and a home folder of its own."""

import os
import signal
from pathlib import Path

import pytest

from tests import conditions, fuzzing
from tests.store.contract.conftest import BACKENDS

fuzzing.register()

# A shell that is not interactive lets what it starts with `&` ignore Ctrl-C, and all that this
# starts in turn; the tests that press Ctrl-C would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    conditions.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    conditions.configure(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print on how many backends the store's contract was checked, and with how many tests."""
    passed = [
        each.nodeid
        for each in terminalreporter.getreports("passed")
        if each.when == "call" and each.nodeid.startswith("tests/store/contract/")
    ]
    counts = {each: sum(f"[{each}" in name for name in passed) for each in BACKENDS}
    if passed:
        words = ", ".join(f"{backend} {number}" for backend, number in counts.items())
        terminalreporter.write_line(f"The store's contract, tests passed: {words}")


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
