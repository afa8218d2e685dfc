"""Routes, retries and the queue on the page, notifications, and what a delivery carries."""

import pytest
from playwright.async_api import Browser, expect

from tests.apps import http, running_app
from tests.inspector.views import FAILURE, View, viewing
from tests.listener import signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_delivery_that_is_tried_again_shows_when(browser: Browser) -> None:
    async with viewing(browser, "--ack", "first") as view:
        page = view.page
        await view.receive()  # the target has answered: what fails next is the delivery's own fault
        await expect(page.locator("#row-1 .took")).to_contain_text("ms")
        view.app.answer = http(429, b"", "Retry-After: 300")
        await view.receive(FAILURE)
        await expect(page.locator("#row-2 .tag")).to_contain_text("next try ")
        await view.choose(2)
        await expect(page.locator("#queue")).to_contain_text("next try at ")
        await expect(page.locator("#queue")).to_contain_text("1 failure so far, given up after ")
        await page.reload()
        await expect(page.locator("#queue")).to_contain_text("next try at ")
        await page.get_by_role("button", name="1 queued").click()
        await view.settle(1)
        await expect(page.locator("#row-2 .tag")).to_contain_text("queued")
        await page.click("#replay")  # it is sent again all the same: at least once
        await expect(page.locator("#attempt-2\\.2")).to_be_visible()
        await expect(page.locator("#queue")).to_be_visible()


async def test_routes_and_their_queues_are_listed(browser: Browser) -> None:
    async with running_app() as other:
        route = ("--route", "post.publish.failed", other.url)
        async with viewing(browser, *route, "--ack", "hold") as view:
            await view.receive(FAILURE)
            await expect(view.page.get_by_role("button", name="1 queued")).to_be_visible()
            await view.page.get_by_role("button", name="2 targets").click()
            rows = view.page.locator("table.routes tbody tr")
            await expect(rows).to_have_count(2)
            await expect(rows.nth(0)).to_contain_text("everything")
            await expect(rows.nth(1)).to_contain_text(f"post.publish.failed{other.url}")
            await expect(rows.nth(1)).to_contain_text("1 queued")
            await view.page.keyboard.press("Escape")
            await view.choose(1)
            await expect(view.page.locator("#queue p")).to_have_count(2)


async def test_answer_rules_are_listed_and_named_where_one_has_answered(browser: Browser) -> None:
    async with viewing(browser, "--answer", "post.publish.*", "503x1") as view:
        for _ in range(2):
            await view.receive(FAILURE)
        await view.choose(1)
        answer = view.page.locator("#answer")
        rule = "post.publish.*: 503, the first time of each event"
        await expect(answer).to_have_text(f"TikTok was answered 503 by the answer rule {rule}")
        await view.choose(2)  # the rule is used up
        await expect(answer).to_have_text("TikTok was answered 200")
        await view.page.get_by_role("button", name="1 answer rule").click()
        listed = view.page.locator("#answer-rules tr")
        await expect(listed).to_have_text(
            ["post.publish.*answered 503, the first time of each event"]
        )


async def test_differences_and_the_log_id_are_shown(view: View) -> None:
    body = FAILURE.replace(b'"content":"{', b'"shiny":1,"content":"{\\"novel\\":true,')
    await view.receive(body, signed(body), ("X-Tt-Logid", "202611280441000A0B0C0D"))
    await view.choose(1)
    found = view.page.locator("#differences li")
    await expect(found).to_have_text(
        ["shiny: a new key, an integer", "content.novel: a new key, a boolean"]
    )
    await expect(view.page.locator(".log-id")).to_contain_text("202611280441000A0B0C0D")
    await view.receive(FAILURE)
    await view.choose(2)
    await expect(view.page.locator("#differences, .log-id")).to_have_count(0)


_NOTIFICATIONS = """
window.shown = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title) {
    window.shown.push(title);
    document.documentElement.dataset.shown = window.shown.join(", ");
  }
};
Object.defineProperty(document, "hidden", { get: () => true });
window.requestAnimationFrame = () => 0; // as in a tab in the background
"""


async def test_notifications_are_asked_for_and_are_of_failures_or_of_what_the_filter_matches(
    view: View,
) -> None:
    page = view.page
    await page.add_init_script(_NOTIFICATIONS)
    async with page.expect_response("**/api/v1/stream"):  # what came before is not notified of
        await page.reload()
    await page.click("#notify")
    await expect(page.locator("#notify")).to_have_text("Notifying")
    view.app.answer = http(500)
    await view.receive(FAILURE)
    html = page.locator("html")
    await expect(html).to_have_attribute("data-shown", "#1 failed")
    view.app.answer = http(200)
    await page.fill("#filter", "post.publish.complete")
    await expect(page.locator("#matching")).to_have_text("0 of 1")
    await view.receive()
    await expect(html).to_have_attribute("data-shown", "#1 failed, #2 post.publish.complete")
    await page.reload()  # as a click on a notification does
    await expect(page.locator("#notify")).to_have_text("Notifying")
