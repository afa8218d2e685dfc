"""The inspector's page with a few deliveries, as a screenshot and as the words on it."""

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.apps import Answer, http, running_app
from tests.listener import listening, post
from tiktok_hook import events

PICTURE = Path(__file__).with_name("page.png")
WORDS = Path(__file__).with_name("page.txt")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
URL = "https://calm-otter-rightly.ngrok-free.app"
ARRIVALS = (
    "tiktok.ping",
    "post.publish.inbox_delivered",
    "post.publish.complete",
    "post.publish.publicly_available",
    "minis.trade_order.redeem.success",
    "portability.download.ready",
    "authorization.removed",
)
_CHANGING = re.compile(r"https?://(?:localhost|127\.0\.0\.1):\d+|\d\d:\d\d:\d\d.*?(?=\n)|[\d.]+ ms")


def answering(status: int) -> Answer:
    """An app that answers so."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(status, b'{"ok":false}', "Content-Type: application/json"))
        await writer.drain()

    return answer


async def drawn(browser: Browser, picture: Path | None = None) -> str:
    """Play the story and choose its failure; the words of the list and of the head of the detail.

    Args:
        browser: Shows the page.
        picture: Where to put a screenshot; None makes none.
    """
    async with running_app() as app:
        options = ["--no-tunnel", "--public-url", URL, "--no-self-check", "--ephemeral"]
        async with listening(*options, "--forward-to", app.url) as listener:
            for name in ARRIVALS:
                await post(listener.local_url, events.sample(name))
            forged = events.sample("post.publish.complete").replace(b"DIRECT", b"INVENTED")
            await post(listener.local_url, forged, ("Tiktok-Signature", f"t=1,s={'0' * 64}"))
            app.answer = answering(500)
            await post(listener.local_url, events.sample("post.publish.failed"))
            await post(listener.local_url, events.sample("post.publish.failed"))
            page = await browser.new_page(
                viewport={"width": 1280, "height": 760},
                color_scheme="light",
                timezone_id="UTC",
                locale="en-GB",
            )
            await page.goto(listener.ready["inspector_url"])
            await page.click("#row-9 .row")
            await page.wait_for_selector("#replay")
            if picture is not None:
                await page.wait_for_selector(".fresh", state="detached")
                await page.screenshot(path=picture)
            words = [
                await page.inner_text(each) for each in ("#list", "#detail .pairs", "#filters")
            ]
            await page.close()
    return _CHANGING.sub("…", "\n".join(words)).replace(URL, "URL") + "\n"


async def main() -> None:
    """Write both files."""
    for name in [name for name in os.environ if name.startswith(("TIKTOK_", "NGROK_", "XDG_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=ARGUMENTS
            )
            WORDS.write_text(await drawn(browser, PICTURE), "utf-8")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
