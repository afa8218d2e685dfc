"""A stand-in of ngrok, an app behind the tunnel, and a tunnel between them in quick time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import aiohttp
import pytest
from aiohttp import web

from tests.ngrok_service import NgrokService
from tiktok_hook.delivery import Notice, TunnelChanged
from tiktok_hook.tunnel import Timing, Tunnel, open_tunnel
from tiktok_hook.tunnel.options import TunnelOptions

TOKEN = "2exampleToken0123456789abcd_5EXAMPLEexample123456"
SECRET = "example-client-secret"
QUICK = Timing(
    heartbeat_interval=1,
    heartbeat_tolerance=1,
    watchdog=0.5,
    tick=0.1,
    waits=(0.0, 0.05, 0.1, 0.2, 0.5),
)


@dataclass
class Log:
    """What a tunnel published, and a way to wait for it."""

    states: list[TunnelChanged] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    beats: list[TunnelChanged] = field(default_factory=list)
    _reported: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, event: TunnelChanged | Notice) -> None:
        if isinstance(event, Notice):
            self.notices.append(event)
        elif self.states and replace(event, latency_ms=None) == replace(
            self.states[-1], latency_ms=None
        ):
            self.beats.append(event)
        else:
            self.states.append(event)
        self._wake()

    def _wake(self) -> None:
        reported, self._reported = self._reported, asyncio.Event()
        reported.set()

    async def until(self, condition: Callable[["Log"], bool], within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition(self):
                await self._reported.wait()

    async def online(self, times: int, within: float = 10.0) -> TunnelChanged:
        """Wait until it has been online `times` times; the last of these states."""
        await self.until(lambda log: len(log.onlines) >= times, within)
        return self.onlines[times - 1]

    @property
    def onlines(self) -> list[TunnelChanged]:
        return [state for state in self.states if state.state == "online"]

    @property
    def words(self) -> list[str]:
        return [state.state for state in self.states]


class Open(Protocol):
    def __call__(self, **changes: Any) -> AbstractAsyncContextManager[Tunnel]: ...


@pytest.fixture(autouse=True)
def asyncio_knows_its_children(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test in which a child was reaped behind asyncio's back, which users would see."""
    yield
    reported = [record.getMessage() for record in caplog.get_records("call")]
    assert not [message for message in reported if "Unknown child process" in message]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def service() -> AsyncIterator[NgrokService]:
    async with NgrokService() as service:
        yield service


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """A user's app that sends back what it was sent; its URL."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), headers={"App": "yes"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(application, shutdown_timeout=1.0, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def app() -> AsyncIterator[str]:
    async with echoing() as url:
        yield url


@pytest.fixture
def open_quick(service: NgrokService, app: str, log: Log) -> Open:
    """Opens a tunnel from the stand-in to the app with quick heartbeats."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[Tunnel]:
        given: dict[str, Any] = {
            "upstream": app,
            "authtoken": TOKEN,
            "connect_url": service.connect_url,
            "connect_cas": str(service.ca_file),
            "publish": log.publish,
            "timing": QUICK,
        } | changes
        names = {each.name for each in fields(TunnelOptions)}
        options = TunnelOptions(**{name: given.pop(name) for name in names & given.keys()})
        async with open_tunnel(options, **given) as tunnel:
            yield tunnel

    return opened


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


async def post(url: str, body: bytes = b"{}", **headers: str) -> Answer:
    """Send a body as TikTok would, and read the answer."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as client,
        client.post(url, data=body, headers=headers) as answer,
    ):
        return Answer(answer.status, await answer.read(), answer.headers)
