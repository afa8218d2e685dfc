"""The page of a real listener in a real browser, for the tests of what it shows."""

import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.apps import App, running_app
from tests.deadline import DEADLINE
from tests.listener import BODY, SECRET, Listener, listening, post
from tiktok_hook import events, signature

CHROMIUM = shutil.which("chromium")
BROWSER_DEADLINE_MS = 1000 * DEADLINE / 2
FAILURE = events.sample("post.publish.failed")


@dataclass
class View:
    """A page, and everything behind it."""

    page: Page
    listener: Listener
    app: App
    troubles: list[str]

    async def receive(self, body: bytes = BODY, *headers: tuple[str, str]) -> None:
        """As TikTok would post it; signed right when no header is given."""
        reply = await post(self.listener.local_url, body, *headers)
        assert reply.status is not None

    async def settle(self, count: int) -> None:
        """Wait until the list has this many rows."""
        await expect(self.page.locator("#list .row")).to_have_count(count)

    def row(self, number: int) -> str:
        return f"#row-{number} .row"

    async def choose(self, number: int) -> None:
        await self.page.click(self.row(number))
        await expect(self.page.locator("#detail h1")).to_contain_text(f"#{number} ")


@asynccontextmanager
async def viewing(browser: Browser, *options: str, width: int = 1280) -> AsyncIterator[View]:
    """The page of a listener with an app; nothing may go wrong in the browser meanwhile."""
    async with running_app() as app:
        target = f"http://127.0.0.1:{app.port}"
        words = ("--no-tunnel", "--ephemeral", "--forward-to", target, *options)
        async with listening(*words) as listener:
            context = await browser.new_context(viewport={"width": width, "height": 800})
            await context.grant_permissions(["clipboard-read", "clipboard-write"])
            page = await context.new_page()
            page.set_default_timeout(BROWSER_DEADLINE_MS)
            view = View(page, listener, app, [])

            def note(message: ConsoleMessage) -> None:
                if message.type == "error":
                    view.troubles.append(message.text)

            page.on("console", note)
            page.on("pageerror", lambda error: view.troubles.append(str(error)))
            page.on("dialog", lambda dialog: view.troubles.append(f"dialog: {dialog.message}"))
            await page.goto(listener.ready["inspector_url"])
            await expect(page.locator("#head")).to_contain_text("received")
            yield view
            await context.close()
            assert view.troubles == []


def signed_right(request: bytes) -> bool:
    """Whether the app's own check would take a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ntiktok-signature: *([^\r]+)", head)
    header = found[1].decode() if found else None
    return signature.check(header, body, SECRET, now=time.time()).state is signature.State.VALID
