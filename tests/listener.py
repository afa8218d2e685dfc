"""`tiktok-hook listen` as a user runs it: the installed command in a process of its own."""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests import fork_server
from tests.deadline import DEADLINE
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply

SECRET = "tiktok-client-secret"
TOKEN = "2aBcDeFgHiJkLmNoPqRsTuVwXyZ_1aB2cD3eF4gH5iJ6kL7m"
BODY = (
    b'{"client_key":"awexampleclient1","event":"post.publish.complete","create_time":1756684800,'
    b'"user_openid":"-000ExampleOpenIdExampleOpenIdExampl","content":"{\\"publish_id\\":'
    b'\\"v_pub_file~v2-1.7545200000000000001\\",\\"publish_type\\":\\"DIRECT_PUBLISH\\"}"}'
)


class Listener:
    """A running command and the JSON lines it prints.

    Attributes:
        process: Its process.
        ready: Its ``ready`` line.
        lines: Every line so far, the newest last.
        errors: What it wrote to stderr so far.
    """

    def __init__(self, process: asyncio.subprocess.Process | fork_server.Process) -> None:
        self.process = process
        self.ready: dict[str, Any] = {}
        self.lines: list[dict[str, Any]] = []
        self.errors = ""
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """The Callback URL."""
        return str(self.ready["callback_url"])

    @property
    def local_url(self) -> str:
        """The receiver's own address."""
        return str(self.ready["local_url"])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one type."""
        return [line for line in self.lines if line["type"] == kind]

    async def wait_for(
        self, kind: str, count: int = 1, *, seconds: float = DEADLINE
    ) -> dict[str, Any]:
        """The `count`-th line of a type, waited for."""
        async with asyncio.timeout(seconds):
            while len(self.of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(kind)[count - 1]

    async def end(self, number: int = signal.SIGINT) -> int:
        """Stop it by a signal; its exit code."""
        self.process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self, *, seconds: float = DEADLINE) -> int:
        """Wait for its end."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def read_out(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if not line.endswith(b"\n"):
                return  # killed in the middle of it
            self.lines.append(json.loads(line))
            self._news.set()

    async def read_err(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.errors += line.decode()


def command(*options: str, form: str = "json") -> list[str]:
    """The words of a listen without tunnel, on free ports."""
    basics = ["--format", form, "--port", "0", "--inspect-port", "0"]
    return [sys.executable, "-m", "tiktok_hook", "listen", *basics, *options]


async def _start(
    words: Sequence[str], variables: dict[str, str]
) -> asyncio.subprocess.Process | fork_server.Process:
    limit = 1 << 26
    try:
        return await fork_server.Process.start(list(words[3:]), variables, limit=limit)
    except fork_server.CannotFork:
        return await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=variables,
            limit=limit,
        )


@asynccontextmanager
async def listening(
    *options: str, secret: str | None = SECRET, environment: dict[str, str] | None = None
) -> AsyncIterator[Listener]:
    """Run the command until it is ready, and end it at the end of the block."""
    variables = {**os.environ, **(environment or {})}
    if secret is not None:
        variables["TIKTOK_CLIENT_SECRET"] = secret
    process = await _start(command(*options), variables)
    listener = Listener(process)
    async with asyncio.TaskGroup() as group:
        readers = [
            group.create_task(listener.read_out()),
            group.create_task(listener.read_err()),
        ]
        try:
            try:
                listener.ready = await listener.wait_for("ready")
            except TimeoutError:
                raise AssertionError(f"not ready: {listener.errors}") from None
            yield listener
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
            try:
                async with asyncio.timeout(DEADLINE):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            _, late = await asyncio.wait(readers, timeout=DEADLINE)
            for reader in late:
                reader.cancel()
            if isinstance(process, fork_server.Process):
                process.close()


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> tuple[str, str]:
    """The header that TikTok would send, made here and not by the code under test."""
    moment = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return "Tiktok-Signature", f"t={moment},s={digest}"


async def post(
    url: str,
    body: bytes = BODY,
    *headers: tuple[str, str],
    forwarder: Forwarder | None = None,
) -> Reply:
    """POST a body; signed right when no header is given."""
    request = ForwardRequest("POST", url, headers or (signed(body),), body)
    if forwarder is not None:
        return await forwarder.send(request, timeout=DEADLINE)
    async with Forwarder() as own:
        return await own.send(request, timeout=DEADLINE)


def run(words: Sequence[str]) -> list[str]:
    """The words of any other command."""
    return [sys.executable, "-m", "tiktok_hook", *words]
