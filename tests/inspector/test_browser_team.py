"""The page over a shared history: who received a delivery, and which apps it was sent to."""

from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect

from tests import postgres
from tests.inspector.conftest import TOKEN, running
from tests.inspector.views import FAILURE
from tests.store.samples import attempt, delivery
from tiktok_hook.store import Store, open_store

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANNA, BEN = "anna@laptop", "ben@desk"


async def _send(store: Store, number: int) -> None:
    begun = await store.begin_attempt(attempt(number))
    await store.end_attempt(replace(begun, status=200, duration_ms=1.0))


async def test_listeners_and_apps_are_shown_and_filtered_where_there_are_several(
    browser: Browser,
) -> None:
    server = postgres.server()
    url = server.url(server.new_database())
    async with running(path=url, app=ANNA) as served:
        await _send(served.store, (await served.receive(FAILURE)).id)
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={TOKEN}")
        await expect(page.locator("#row-1")).to_contain_text("failed")
        await expect(page.locator("#list .name")).to_have_count(0)
        await expect(page.get_by_label("Listener")).to_have_count(0)

        with open_store(url, app=BEN) as ben:  # another process
            await ben.add(delivery(status=200))
            await _send(ben, 2)
            await _send(ben, 1)
            await expect(page.locator("#row-2 .name")).to_have_text([BEN, f"→ {BEN}"])
            await expect(page.locator("#row-1 .name")).to_have_text([ANNA, f"→ {ANNA}, {BEN}"])

        await page.get_by_label("Listener").select_option(BEN)
        await expect(page.locator("#list .row")).to_have_count(1)
        await expect(page.locator("#matching")).to_have_text("1 of 2")
        await page.get_by_label("Listener").select_option("")
        await expect(page.locator("#list .row")).to_have_count(2)
        await page.get_by_label("App").select_option(ANNA)
        await expect(page.locator("#list .row")).to_have_count(1)
        await expect(page.locator("#row-1")).to_be_visible()
        await page.close()
