"""What the page does in a real browser: replay, edit, compare, samples, export, clearing."""

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.inspector.views import FAILURE, View, signed_right
from tests.listener import BODY
from tiktok_hook import events

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_one_click_replays_to_the_app(view: View) -> None:
    await view.receive()
    await view.choose(1)
    await view.page.click("#replay")
    await view.app.wait_for(2)
    assert view.app.bodies[1] == BODY
    assert signed_right(view.app.requests[1])
    await expect(view.page.locator("#attempt-1\\.2")).to_contain_text("replay")


async def test_an_edited_replay_is_signed_again_and_keeps_every_digit(view: View) -> None:
    content = '{"publish_id":"old","post_id":7545201234567890123,"n":1.10}'
    await view.receive(
        json.dumps({"event": "post.publish.complete", "content": content}).encode(),
    )
    await view.choose(1)
    page = view.page
    await page.click("#edit")
    text = await page.input_value("#replay-content")
    await page.fill("#replay-content", text.replace('"old"', '"new"'))
    await expect(page.locator("#dialog ins")).to_contain_text("new")
    await expect(page.locator("#dialog del")).to_contain_text("old")
    await page.fill("#replay-headers", "X-Mine: yes\nhost: other.example")
    await page.fill("#replay-path", "/other")
    changes = page.locator("#dialog .diff")
    for words in ("POST /other", "X-Mine: yes", "host: other.example"):
        await expect(changes.locator("ins", has_text=words)).to_be_visible()
    for words in ("POST /", "Host: 127.0.0.1"):
        await expect(changes.locator("del", has_text=words)).to_be_visible()
    await page.click("#replay-send")
    await view.app.wait_for(2)
    request = view.app.requests[1]
    assert json.loads(view.app.bodies[1])["content"] == content.replace("old", "new")
    assert signed_right(request)
    assert b"\r\nX-Mine: yes\r\n" in request
    await expect(page.locator("#attempt-1\\.2")).to_be_visible()


@pytest.mark.parametrize("way", ["bad", "none", "age"])
async def test_failing_variants_do_not_pass_the_apps_check(view: View, way: str) -> None:
    await view.receive()
    await view.choose(1)
    await view.page.click("#edit")
    await view.page.select_option("#replay-signing", way)
    await view.page.click("#replay-send")
    await view.app.wait_for(2)
    assert not signed_right(view.app.requests[1])


async def test_picked_deliveries_are_replayed_in_their_order_and_compared(view: View) -> None:
    page = view.page
    for sample in ("post.publish.failed", "post.publish.complete"):
        await view.receive(events.sample(sample))
    await page.check("#row-2 input")
    await page.check("#row-1 input")
    await page.click("#replay-picked")
    await view.app.wait_for(4)
    assert view.app.bodies[2:] == view.app.bodies[:2]
    await page.click("#compare")
    for name, event in (("del", "post.publish.failed"), ("ins", "post.publish.complete")):
        await expect(page.locator(f"#dialog {name}", has_text=event)).to_be_visible()


async def test_a_sample_can_be_sent(view: View) -> None:
    await view.page.click("#open-samples")
    item = view.page.locator("#dialog li", has_text="authorization.removed")
    await item.get_by_role("button", name="Send").click()
    await expect(view.page.locator(view.row(1))).to_contain_text("trigger")


async def test_the_history_is_cleared_only_when_asked_twice(view: View) -> None:
    await view.receive()
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await view.page.click("#open-clear")
    await view.page.keyboard.press("Escape")
    await view.page.click("#open-clear")
    await view.page.locator("#clear-sure").last.click()
    await expect(view.page.locator("#list .row")).to_have_count(0)


async def test_only_what_the_filters_match_and_was_counted_is_deleted(view: View) -> None:
    page = view.page
    for body in (FAILURE, FAILURE, events.sample("post.publish.complete")):
        await view.receive(body)
    await page.select_option("select[name=event]", "post.publish.failed")
    await expect(page.locator("#list .row")).to_have_count(2)
    await page.click("#open-clear")
    await expect(page.locator("#dialog")).to_contain_text("The filters in use match 2 deliveries.")
    await view.receive(FAILURE)
    await page.get_by_role("button", name="Delete 2 deliveries").click()
    await expect(page.locator("#announcement")).to_have_text("2 deliveries deleted.")
    await expect(page.locator("#list .row")).to_have_count(1)
    await page.click("#open-clear")
    await page.get_by_role("button", name="Delete 1 delivery").click()
    await expect(page.locator("#list .row")).to_have_count(0)
    await page.click("#open-clear")
    await expect(page.locator("#dialog")).to_contain_text("No delivery matches the filters in use.")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Reset filters").last.click()
    await expect(page.locator("#list .row")).to_have_count(1)


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("HAR", "deliveries.har"),
        ("JSON Lines", "deliveries.jsonl"),
        ("pytest", "test_tiktok_webhooks.py"),
    ],
)
async def test_what_the_list_shows_is_exported(
    view: View, tmp_path: Path, way: str, name: str
) -> None:
    await view.receive()
    await view.receive(FAILURE)
    page = view.page
    await page.select_option("select[name=event]", "post.publish.failed")
    await expect(page.locator("#list .row")).to_have_count(1)
    await page.click("#open-export")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name=f"Download {way}").click()
    found = await coming.value
    assert found.suggested_filename == name
    await found.save_as(tmp_path / name)
    text = (tmp_path / name).read_text("utf-8")
    assert "post.publish.failed" in text
    assert "post.publish.complete" not in text


async def test_an_export_that_fails_is_reported_and_not_saved(view: View) -> None:
    await view.receive()
    page = view.page
    await page.goto(page.url + "?since=never")
    await page.click("#open-export")
    await page.get_by_role("button", name="Download HAR").click()
    await expect(page.locator("#announcement")).to_have_text("since must be a number, not 'never'.")
    await page.goto("about:blank")  # where nothing is asked any more
    view.troubles.clear()  # the browser notes every refused request
