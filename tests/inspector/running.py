"""An inspector on a free port over a real history, and a client that is let in."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, CookieJar, DummyCookieJar

from tests.listener import BODY, SECRET
from tiktok_hook import inspector, serving, signature
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.feed import Feed
from tiktok_hook.forward import Forwarder
from tiktok_hook.inspector import Inspector, Parts, Status
from tiktok_hook.store import Store, open_store

TOKEN = "inspector-token-of-this-user"
NOW = 1_790_000_000.0


@dataclass(kw_only=True)
class Running:
    """What a test works with.

    Attributes:
        port: Of the inspector.
        store: The history it shows.
        feed: What it is told.
        status: Where the session stands; a test may change it.
        http: A client with the token.
        stranger: A client without.
    """

    port: int
    store: Store
    feed: Feed
    http: ClientSession
    stranger: ClientSession
    published: list[object] = field(default_factory=list)
    status: Status = field(default_factory=lambda: Status(started_at=NOW, signed=True))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **options: Any) -> Any:
        """The JSON of an answer that has to be 200."""
        async with self.http.get(path, **options) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: object = None, *, status: int = 200) -> Any:
        """The JSON of an answer to a JSON body."""
        async with self.http.post(path, json={} if body is None else body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def add(self, body: bytes = BODY, **changes: Any) -> Delivery:
        """Store a delivery as the receiver would, and tell everybody."""
        stored = await self.store.add(delivery(body, **changes))
        if stored.status is not None:
            self.store.set_status(stored.id, stored.status)
        self.feed.publish(stored)
        return stored

    async def attempt(self, stored: Delivery, **changes: Any) -> Attempt:
        """Record an attempt that ended, and tell everybody."""
        begun = await self.store.begin_attempt(
            Attempt(
                delivery_id=stored.id,
                started_at=stored.received_at,
                target=changes.pop("target", "http://127.0.0.1:9/hook"),
                replay=changes.pop("replay", False),
                request_headers=stored.headers,
            )
        )
        outcome = {"status": 200, "duration_ms": 12.5, **changes}
        ended = Attempt(**{name: getattr(begun, name) for name in begun.__slots__} | outcome)
        await self.store.end_attempt(ended)
        self.feed.publish(ended)
        return ended


def delivery(body: bytes = BODY, **changes: Any) -> Delivery:
    """One as TikTok sends it: signed right, answered 200."""
    at = changes.get("received_at", NOW)
    header = signature.sign(body, SECRET, timestamp=int(at))
    verdict = signature.check(header, body, SECRET, now=at)
    made = Delivery(
        received_at=at,
        remote_addr="203.0.113.7",
        path="/tiktok",
        headers=(
            ("Host", "calm-otter.ngrok-free.app"),
            ("content-type", "application/json;charset=UTF-8"),
            ("TikTok-Signature", header),
            ("X-Forwarded-For", "203.0.113.7"),
        ),
        body=body,
        verdict=verdict,
        status=200,
    )
    return made.stored(**changes)


@asynccontextmanager
async def running(
    path: Path | None = None,
    *,
    names: Sequence[str] = (),
    open_access: bool = False,
    secrets: Sequence[str] = (SECRET,),
    readable_only: bool = False,
) -> AsyncIterator[Running]:
    """An inspector until the end of the block."""
    feed = Feed()
    sockets = serving.bind(0, preferred=0)
    port = sockets[0].getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with open_store(path) as store:
        async with (
            Forwarder() as forwarder,
            ClientSession(base, headers=bearer, cookie_jar=DummyCookieJar()) as http,
            ClientSession(base, cookie_jar=CookieJar(unsafe=True)) as stranger,
        ):
            run = Running(port=port, store=store, feed=feed, http=http, stranger=stranger)

            def publish(item: object) -> None:
                run.published.append(item)
                feed.publish(item)

            parts = Parts(
                history=store.history(),
                store=None if readable_only else store,
                forwarder=forwarder,
                secrets=tuple(secrets),
                status=lambda: run.status,
                publish=publish,
            )
            page = Inspector(
                parts, feed=feed, token=TOKEN, port=port, names=names, open_access=open_access
            )
            async with inspector.serving(page, sockets):
                yield run
