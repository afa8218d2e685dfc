"""The SDK's own client against the real command, for tests that are not async.

The client runs on an event loop in a thread of its own, since it has to be opened and closed by
one task, and a fixture of a module is not.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters
from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    TextResourceContents,
)

from tests.deadline import DEADLINE

T = TypeVar("T")

SECRET = "tiktok-client-secret"
TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"


class Agent:
    """An agent's side of a connection.

    Attributes:
        asked: The questions that the user was asked.
        answer: What the user answers.
        texts: Every text that came in a result.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = "accept"
        self.texts: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.client: Client | None = None
        self._leave = asyncio.Event()

    def run(self, make: Callable[[Client], Coroutine[Any, Any, T]], seconds: float = DEADLINE) -> T:
        """Do something with the client, and wait for it."""
        return self.start(make).result(seconds)

    def start(self, make: Callable[[Client], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Begin something with the client."""
        assert self.client is not None
        return asyncio.run_coroutine_threadsafe(make(self.client), self.loop)

    def result(self, name: str, **arguments: Any) -> CallToolResult:
        """Call a tool."""
        result = self.run(lambda client: client.call_tool(name, arguments))
        self.texts += [each.text for each in result.content if each.type == "text"]
        return result

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that succeeds; its structured result."""
        result = self.result(name, **arguments)
        assert not result.is_error, result.content
        found = result.structured_content
        assert isinstance(found, dict)
        return found

    def error(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that fails; its message, hint and exit code."""
        result = self.result(name, **arguments)
        assert result.is_error
        assert result.structured_content is None
        (content,) = result.content
        assert content.type == "text"
        found = json.loads(content.text)
        assert found.keys() == {"message", "hint", "exit_code"}
        return dict(found)

    async def _ask(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the SDK passes it by name
        params: ElicitRequestParams,
    ) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action=self.answer, content={} if self.answer == "accept" else None)  # type: ignore[arg-type]

    def bytes_of(self, uri: str) -> bytes:
        """The bytes of a resource."""
        (content,) = self.run(lambda client: client.read_resource(uri)).contents
        assert isinstance(content, BlobResourceContents)
        return base64.b64decode(content.blob)

    def text_of(self, uri: str) -> str:
        """The text of a resource."""
        (content,) = self.run(lambda client: client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return content.text

    async def _connected(self, server: StdioServerParameters, ready: "Future[None]") -> None:
        try:
            async with Client(server, elicitation_callback=self._ask) as self.client:
                ready.set_result(None)
                await self._leave.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    def close(self) -> None:
        """Disconnect; the server ends."""
        self.loop.call_soon_threadsafe(self._leave.set)


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a client gives to the server that it starts."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
    return {**kept, "HOME": str(home), "TIKTOK_CLIENT_SECRET": SECRET, **more}


@contextmanager
def connected(
    home: Path,
    *options: str,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Agent]:
    """Start ``tiktok-hook mcp`` as a client does, in a folder if one is given."""
    # Where a process may not be started under a moved date, that is noticed here, in the thread of
    # the test.
    subprocess.run([sys.executable, "-c", ""], check=True)
    # -P, since the installed command does not import from the working directory either.
    words: Sequence[str] = ("-P", "-m", "tiktok_hook", "mcp", *options)
    server = StdioServerParameters(
        command=sys.executable,
        args=list(words),
        env=environment(home, **(variables or {})),
        cwd=folder,
    )
    agent = Agent()
    ready: Future[None] = Future()

    def serve() -> None:
        try:
            agent.loop.run_until_complete(agent._connected(server, ready))
        finally:
            agent.loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ready.result(DEADLINE)
    try:
        yield agent
    finally:
        agent.close()
        thread.join(DEADLINE)
