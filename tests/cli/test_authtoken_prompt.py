"""The prompt for an authtoken, at a terminal and against the stand-in of ngrok's service."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.ngrok_service import NgrokService
from tests.pty_terminal import Terminal
from tiktok_hook import credentials

GOOD = "2exampleToken0123456789abcd_5EXAMPLEexample123456"
WRONG = "2wrongToken00123456789abcd_5EXAMPLEexample1234567"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService(tokens=[GOOD]) as running:
        yield running


@pytest.fixture
def started(service: NgrokService, home: Path) -> Iterator[Terminal]:
    words = [
        sys.executable, "-m", "tiktok_hook", "listen", "--ephemeral", "--no-inspect", "--port", "0",
        "--connect-url", service.connect_url, "--connect-cas", str(service.ca_file),
    ]  # fmt: skip
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NGROK_AUTHTOKEN", None)
    terminal = Terminal(words, columns=100, environment=environment)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()


async def test_a_typed_token_is_kept_only_once_ngrok_has_accepted_it(started: Terminal) -> None:
    def story() -> None:
        started.read_until("Authtoken:")
        started.type(WRONG + "\n")
        started.read_until("once the tunnel is up?")
        started.type("y\n")
        started.read_until("The authtoken came from this prompt.")
        assert credentials.read_authtoken() is None
        started.text = started.text.rpartition("this prompt.")[2]  # the next prompt may be in it
        started.read_until("Authtoken:")
        started.type(GOOD + "\n")
        started.read_until("once the tunnel is up?")
        started.type("y\n")
        started.read_until("The authtoken is kept in")

    await asyncio.to_thread(story)
    assert credentials.read_authtoken() == GOOD
    assert WRONG not in started.text
    assert GOOD not in started.text


async def test_a_wrong_token_that_was_kept_is_named_and_can_be_replaced(
    home: Path, service: NgrokService, request: pytest.FixtureRequest
) -> None:
    file = credentials.keep_authtoken(WRONG)
    started: Terminal = request.getfixturevalue("started")

    def story() -> None:
        started.read_until("Authtoken:")
        assert f"The authtoken came from {file}." in " ".join(started.text.split())
        started.type(GOOD + "\n")
        started.read_until("once the tunnel is up?")
        started.type("n\n")
        started.read_until("Callback URL")

    await asyncio.to_thread(story)
    assert credentials.read_authtoken() == WRONG
