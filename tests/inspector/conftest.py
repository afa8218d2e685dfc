"""A real inspector on a real socket over a real history, and its page in a real browser."""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.inspector.views import BROWSER_DEADLINE_MS, CHROMIUM, View, viewing
from tests.listener import BODY, SECRET, signed
from tests.pictures.page import ARGUMENTS
from tiktok_hook import inspector, ports
from tiktok_hook.bus import Bus
from tiktok_hook.delivery import Delivery, DeliveryAnswered, DeliveryStored, TunnelChanged
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply
from tiktok_hook.inspector import Inspector, InspectorContext, Status
from tiktok_hook.inspector.options import InspectorPageOptions
from tiktok_hook.signature import State, Verdict
from tiktok_hook.store import Store, open_store

TOKEN = "a-token-of-this-test"
URL = "https://calm-otter.ngrok-free.app"

expect.set_options(timeout=BROWSER_DEADLINE_MS)


@dataclass
class Served:
    """An inspector that is running, and the parts behind it."""

    port: int
    store: Store
    feed: Bus
    forwarder: Forwarder
    status: Status
    published: list[object] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self,
        method: str,
        path: str,
        *headers: tuple[str, str],
        body: Any = None,
        token: str | None = TOKEN,
    ) -> Reply:
        """Send a request; with the token unless another is given."""
        sent = list(headers)
        if token is not None:
            sent.append(("Authorization", f"Bearer {token}"))
        data = (
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        if body is not None and not any(name == "Content-Type" for name, _ in headers):
            sent.append(("Content-Type", "application/json"))
        request = ForwardRequest(method, f"{self.address}{path}", tuple(sent), data)
        return await self.forwarder.send(request, keep_bytes=1 << 22)

    async def get(self, path: str) -> Any:
        """The JSON at a path."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    async def post(self, path: str, body: Any) -> Any:
        """The JSON answered to a JSON body."""
        reply = await self.ask("POST", path, body=body)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    async def receive(self, body: bytes = BODY, **changes: Any) -> Delivery:
        """Store a delivery and publish it, as a session does."""
        delivery = Delivery(
            received_at=time.time(),
            remote_addr="203.0.113.7",
            headers=(("Host", "example"), signed(body)),
            body=body,
            verdict=Verdict(State.VALID, age_seconds=0.0, secret=1),
            status=200,
        )
        stored = await self.store.add(replace(delivery, **changes))
        self.feed.publish(DeliveryStored(stored, queued=False))
        self.feed.publish(DeliveryAnswered(stored))
        await asyncio.sleep(0)  # the streams' tasks run, also where this is called in a loop
        return stored


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Served]:
    """An inspector; `changes` are for its status or its options, or `path`, `app` and `token`."""
    path, app = changes.pop("path", None), changes.pop("app", None)
    token = changes.pop("token", lambda: TOKEN)
    names = {each.name for each in fields(InspectorPageOptions)}
    options = InspectorPageOptions(**{name: changes.pop(name) for name in names & changes.keys()})
    sockets = ports.bind(0, preferred=0, flag="--inspect-port")
    port = sockets[0].getsockname()[1]
    status = Status(
        callback_url=URL,
        local_url="http://127.0.0.1:3000",
        tunnel=TunnelChanged("online", URL, time.time(), latency_ms=31),
        started_at=time.time(),
        signed=True,
        public=True,
    )
    feed = Bus()
    with open_store(path, app=app) as store:
        async with Forwarder() as forwarder:
            served = Served(port, store, feed, forwarder, replace(status, **changes))

            def publish(item: object) -> None:
                served.published.append(item)
                feed.publish(item)

            page = Inspector(
                InspectorContext(
                    history=store.history(),
                    store=store,
                    forwarder=forwarder,
                    secrets=(SECRET,),
                    status=lambda: served.status,
                    publish=publish,
                ),
                options,
                feed=feed,
                token=token,
            )
            async with inspector.serving(page, sockets):
                yield served
                for writer in served.writers:
                    writer.close()


def skip_ids(path: Path, count: int = 1 << 40) -> int:
    """Make the next delivery's id so much greater, as if that many had come and gone; gives it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE counters SET last_id = last_id + ?", (count,))
        ((last,),) = connection.execute("SELECT last_id FROM counters")
    return int(last) + 1


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with running() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        reason = "there is no chromium to try the page in: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="module")
async def view(browser: Browser) -> AsyncIterator[View]:
    async with viewing(browser) as made:
        yield made
