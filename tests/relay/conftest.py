"""A relay over a real store and a real forwarder."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.apps import App
from tests.relay.samples import SECRET, Opener, Published
from tiktok_hook.forward import Forwarder
from tiktok_hook.relay import Relay, open_relay
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "history.db") as opened:
        yield opened


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    async with Forwarder() as made:
        yield made


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def relaying(store: Store, forwarder: Forwarder, published: Published) -> Opener:
    def opener(*apps: App | str, **options: object) -> AbstractAsyncContextManager[Relay]:
        targets = [app if isinstance(app, str) else app.url for app in apps]
        names = {each.name for each in fields(RelayOptions)}
        chosen: dict[str, Any] = {name: options.pop(name) for name in names & options.keys()}
        return open_relay(
            RelayOptions(forward_to=targets, **chosen),
            store=store,
            forwarder=forwarder,
            publish=published.take,
            secrets=[SECRET],
            **options,  # type: ignore[arg-type] # what is left is for open_relay itself
        )

    return opener
