"""The list in a real browser: live, filtered, grouped, searched, with the strip above it."""

import asyncio
import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from tests.apps import http
from tests.inspector.conftest import TOKEN as INSPECTOR_TOKEN
from tests.inspector.conftest import running, skip_ids
from tests.inspector.views import FAILURE, View
from tests.listener import TOKEN, listening
from tests.ngrok_service import NgrokService
from tests.pictures.page import answering
from tests.store.samples import delivery, event_body
from tiktok_hook import events
from tiktok_hook.delivery import DeliveryAnswered, Source
from tiktok_hook.inspector import stream

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_delivery_appears_without_a_reload(view: View) -> None:
    await expect(view.page.locator("#empty")).to_be_visible()
    await view.receive(FAILURE)
    row = view.page.locator(view.row(1))
    await expect(row).to_contain_text("post.publish.failed")
    await expect(row).to_contain_text("video_pull_failed for v_pub_url~")
    await expect(row).to_contain_text("valid 200")
    await expect(view.page.locator("#head")).to_contain_text("1 received")


async def test_a_slow_apps_answer_comes_to_its_row(view: View) -> None:
    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await expect(view.page.locator(view.row(1))).to_contain_text("…")
        writer.write(http(503, b"busy"))
        await writer.drain()

    view.app.answer = slowly
    await view.receive()
    await expect(view.page.locator(view.row(1))).to_contain_text("valid 503")


async def test_filters_stand_in_the_address_and_survive_a_reload(view: View) -> None:
    await view.receive()
    await view.receive(FAILURE)
    await view.receive(FAILURE, ("Tiktok-Signature", "t=1,s=00"))
    page = view.page
    await expect(page.locator("#list .row")).to_have_count(3)
    await page.select_option("select[name=verdict]", "invalid")
    await expect(page.locator("#list .row")).to_have_count(1)
    assert "verdict=invalid" in page.url
    await page.reload()
    await expect(page.locator("#list .row")).to_have_count(1)
    await expect(page.locator("select[name=verdict]")).to_have_value("invalid")
    await page.select_option("select[name=verdict]", "")
    await page.fill("#search", "video_pull")
    await expect(page.locator("#list .row")).to_have_count(2)
    assert "q=video_pull" in page.url
    await view.receive()
    await view.receive(FAILURE)
    await expect(page.locator("#list .row")).to_have_count(3)


async def test_news_leave_older_rows_of_a_filtered_list_in_place(view: View) -> None:
    for _ in range(60):
        await view.receive()
    page = view.page
    await page.goto(page.url + "?verdict=valid")
    await expect(page.locator("#list .row")).to_have_count(50)
    await page.evaluate("document.querySelector('#left').scrollTo(0, 1e6)")
    await expect(page.locator("#list .row")).to_have_count(60)
    await view.receive(FAILURE)
    await expect(page.locator("#row-61")).to_be_visible()
    await expect(page.locator("#list .row")).to_have_count(61)
    await expect(page.locator("#older")).to_be_hidden()


async def test_a_new_row_is_inserted_and_the_others_are_left_as_they_are(view: View) -> None:
    page = view.page
    for _ in range(3):
        await view.receive()
    await view.settle(3)
    await page.evaluate("for (const row of document.querySelectorAll('#list li')) row.kept = true")
    await view.receive(FAILURE)
    await view.settle(4)
    ids = await page.evaluate("[...document.querySelectorAll('#list li')].map(row => row.id)")
    assert ids == ["row-4", "row-3", "row-2", "row-1"]
    # Answered rows are drawn again, each by itself; these were answered before.
    kept = "[...document.querySelectorAll('#list li')].map(row => row.kept ?? false)"
    assert await page.evaluate(kept) == [False, True, True, True]
    assert await page.locator("#list [tabindex='0']").count() == 1


async def test_a_mark_is_shown_in_full_at_every_width(browser: Browser) -> None:
    async with running() as served:
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        long = event_body("post.publish.no_longer_publicaly_available")
        await served.receive(long, source=Source.TRIGGER)
        await served.receive(long, source=Source.TRIGGER)
        tags = page.locator("#list .tag")
        await expect(tags).to_have_text(["↻ 2", "trigger", "trigger"])
        for width in (1440, 1024, 800, 400):
            await page.set_viewport_size({"width": width, "height": 800})
            if width == 400:
                await page.click("#detail .back")
            visible = [each for each in await tags.all() if await each.is_visible()]
            assert len(visible) == (1 if width == 800 else 3)
            for tag in visible:
                cut = "each => each.scrollWidth > each.clientWidth"
                assert not await tag.evaluate(cut), (width, await tag.text_content())
                row = await tag.locator("xpath=..").bounding_box()
                own = await tag.bounding_box()
                assert row is not None
                assert own is not None
                assert own["x"] + own["width"] <= row["x"] + row["width"] + 1
        await page.close()


async def test_the_list_keeps_the_newest_600_rows_in_order(browser: Browser) -> None:
    async with running() as served:
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        await expect(page.locator("#empty")).to_be_visible()
        for number in range(1, 606):
            await served.receive(FAILURE)
            if number % 55 == 0:  # in steps: a page that is far behind reads the list again
                row = f"row-{number}"
                await expect(page.locator("#list li").first).to_have_attribute("id", row)
        await expect(page.locator("#list li").first).to_have_attribute("id", "row-605")
        await expect(page.locator("#list li")).to_have_count(600)
        ids = await page.evaluate("[...document.querySelectorAll('#list li')].map(row => row.id)")
        assert ids == [f"row-{number}" for number in range(605, 5, -1)]
        await expect(page.locator("#empty")).to_be_hidden()
        await expect(page.locator("#older")).to_be_visible()
        await page.close()


async def test_rows_from_before_the_stream_begins_leave_no_gap(browser: Browser) -> None:
    """More than a page of them, so that the list is not whole with the newest page."""
    async with running() as served:
        page = await browser.new_page()
        may_begin = asyncio.Event()

        async def hold(route: Route) -> None:
            await may_begin.wait()
            await route.continue_()

        await page.route("**/api/v1/stream", hold)
        async with page.expect_request("**/api/v1/stream"):
            await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        for _ in range(60):
            await served.receive(FAILURE)
        may_begin.set()
        await expect(page.locator("#list li")).to_have_count(50)
        await page.evaluate("document.querySelector('#left').scrollTo(0, 1e6)")
        await expect(page.locator("#list li")).to_have_count(60)
        await expect(page.locator("#older")).to_be_hidden()
        await page.close()


async def test_a_burst_leaves_no_gap_in_a_filtered_list(browser: Browser) -> None:
    async with running() as served:
        await served.receive(FAILURE)
        page = await browser.new_page()
        await page.goto(f"{served.address}/?verdict=valid#token={INSPECTOR_TOKEN}")
        await expect(page.locator("#list li")).to_have_count(1)
        for _ in range(120):
            await served.receive(FAILURE)
        await expect(page.locator("#list li")).to_have_count(121)
        await page.close()


async def test_rows_stay_when_the_stream_has_left_out_changes(browser: Browser) -> None:
    async with running() as served:
        for _ in range(60):
            await served.receive(FAILURE)
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        await expect(page.locator("#list li")).to_have_count(50)
        await page.evaluate("document.querySelector('#left').scrollTo(0, 1e6)")
        await expect(page.locator("#list li")).to_have_count(60)
        for _ in range(2 * stream.CATCH_UP):  # at once, so the stream sends `reset`
            await served.store.add(delivery(status=200))
        await expect(page.locator("#list li")).to_have_count(60 + 2 * stream.CATCH_UP)
        await expect(page.locator("#row-1")).to_have_count(1)
        await page.close()


async def test_older_rows_that_a_reading_supersedes_are_read_again(browser: Browser) -> None:
    async with running() as served:
        for _ in range(60):
            await served.receive(FAILURE)
        page = await browser.new_page()
        stream_may_open, older_may_come = asyncio.Event(), asyncio.Event()

        async def hold_stream(route: Route) -> None:
            await stream_may_open.wait()
            await route.continue_()

        async def hold_older(route: Route) -> None:
            await older_may_come.wait()
            await route.continue_()

        await page.route("**/api/v1/stream", hold_stream)
        await page.route("**/api/v1/deliveries?*before=11*", hold_older, times=1)
        await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        await expect(page.locator("#list li")).to_have_count(50)
        async with page.expect_request("**/api/v1/deliveries?*before=11*"):
            await page.evaluate("document.querySelector('#left').scrollTo(0, 1e6)")
        async with page.expect_response("**/api/v1/deliveries?*"):  # all is read again
            stream_may_open.set()
        await expect(page.locator("#left")).not_to_have_attribute("aria-busy", "true")
        older_may_come.set()
        await expect(page.locator("#list li")).to_have_count(60)
        await page.close()


async def test_a_change_of_a_row_that_is_not_loaded_does_not_insert_it(browser: Browser) -> None:
    async with running() as served:
        first = await served.receive(FAILURE, status=None)
        for _ in range(60):
            await served.receive(FAILURE)
        page = await browser.new_page()
        async with page.expect_response("**/api/v1/stream"):
            await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        await expect(page.locator("#list li")).to_have_count(50)
        async with page.expect_event("console", lambda message: message.text == "row 62"):
            await page.evaluate("""() => new MutationObserver(() => {
                if (document.getElementById("row-62")) console.log("row 62");
            }).observe(document.getElementById("list"), { childList: true })""")
            served.feed.publish(DeliveryAnswered(first.replace(status=200)))
            await served.receive(FAILURE)
        ids = await page.evaluate("[...document.querySelectorAll('#list li')].map(row => row.id)")
        assert ids == [f"row-{number}" for number in range(62, 11, -1)]
        await page.close()


async def test_older_rows_of_other_filters_are_not_added(browser: Browser) -> None:
    async with running() as served:
        for number in range(60):
            await served.receive(FAILURE, status=200 if number else 500)
        page = await browser.new_page()
        may_continue = asyncio.Event()

        async def hold(route: Route) -> None:
            await may_continue.wait()
            await route.continue_()

        await page.route("**/deliveries?before=*", hold)
        await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        await expect(page.locator("#list li")).to_have_count(50)
        async with page.expect_request("**/deliveries?before=*"):
            await page.evaluate("document.querySelector('#left').scrollTo(0, 1e6)")
        await page.select_option("select[name=status]", "500")
        await expect(page.locator("#list li")).to_have_count(1)
        await page.evaluate("document.addEventListener('drawn', () => console.log('drawn'))")
        async with page.expect_event("console", lambda message: message.text == "drawn"):
            may_continue.set()
        await expect(page.locator("#list li")).to_have_count(1)
        await page.close()


async def test_the_button_for_older_rows_is_shown_again_after_an_error(view: View) -> None:
    for _ in range(60):
        await view.receive()
    page = view.page
    await page.reload()
    await view.settle(50)
    await page.route("**/deliveries?before=*", lambda route: route.fulfill(status=503, body="{}"))
    await page.evaluate("document.querySelector('#left').scrollTo(0, 1e6)")
    await expect(page.locator("#announcement")).to_contain_text("503")
    await expect(page.locator("#older")).to_be_visible()
    await page.goto("about:blank")  # or it asks again
    view.troubles.clear()  # the browser reports each 503


async def test_any_answer_can_be_filtered_for(view: View) -> None:
    view.app.answer = answering(418)
    await view.receive()
    await view.page.goto(view.page.url + "?status=418")
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await expect(view.page.locator("select[name=status]")).to_have_value("418")


async def test_the_life_of_a_post_is_one_line(view: View) -> None:
    for name in ("complete", "publicly_available"):
        await view.receive(events.sample(f"post.publish.{name}"))
    await view.page.select_option("select[name=group]", "publish_id")
    await expect(view.page.locator("#list .group")).to_contain_text("complete → publicly available")


async def test_the_life_of_a_post_is_whole_when_its_begin_is_not_loaded(view: View) -> None:
    await view.receive(events.sample("post.publish.complete"))
    for _ in range(51):
        await view.receive(FAILURE)
    await view.receive(events.sample("post.publish.publicly_available"))
    page = view.page
    await page.goto(page.url + "?group=publish_id")
    group = page.locator("#list .group", has_text="publicly available")
    await expect(group).to_contain_text("complete → publicly available")
    await expect(page.locator("#row-1")).to_have_count(0)
    await group.get_by_role("button", name="Show all of ").click()
    await expect(page.locator("#row-1")).to_be_visible()
    await expect(page.locator("#list .row")).to_have_count(2)
    assert "group=publish_id&publish_id=" in page.url


async def test_deliveries_without_a_group_have_a_line_of_their_own(view: View) -> None:
    await view.receive(b"{}")
    await view.receive(b"[]")
    await view.receive(events.sample("post.publish.complete"))
    await view.page.select_option("select[name=group]", "publish_id")
    rows = view.page.locator("#list > li")
    await expect(rows).to_contain_text(["v_pub_file", "#3", "no post id", "#2", "#1"])


@pytest.mark.parametrize(
    ("way", "line"),
    [("redelivery", "#1: complete → complete"), ("user", "complete → publicly available → compl")],
)
async def test_deliveries_are_grouped(view: View, way: str, line: str) -> None:
    for name in ("complete", "publicly_available", "complete"):
        await view.receive(events.sample(f"post.publish.{name}"))
    await view.page.select_option("select[name=group]", way)
    groups = view.page.locator("#list .group", has_text=" → ")
    await expect(groups).to_contain_text(line)
    await expect(groups).to_have_count(1)


async def test_what_came_while_the_page_was_closed_is_there_after_a_reload(view: View) -> None:
    await view.receive()
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await view.page.goto("about:blank")
    await view.receive(FAILURE)
    await view.page.goto(view.listener.ready["inspector_url"].partition("#")[0])
    await expect(view.page.locator("#list .row")).to_have_count(2)
    await view.receive()
    await expect(view.page.locator("#list .row")).to_have_count(3)


async def test_two_pages_of_one_browser_share_one_stream(view: View) -> None:
    second = await view.page.context.new_page()
    await second.goto(view.page.url)
    await view.receive()
    for page in (view.page, second):
        await expect(page.locator("#list .row")).to_have_count(1)
    await view.page.close()
    await view.receive()
    await expect(second.locator("#list .row")).to_have_count(2)


async def test_the_strip_shows_outages_from_before_the_page_was_opened(browser: Browser) -> None:
    async with NgrokService() as service:
        words = ["--connect-url", service.connect_url, "--connect-cas", str(service.ca_file)]
        given = {"NGROK_AUTHTOKEN": TOKEN}
        async with listening(*words, "--ephemeral", environment=given) as listener:
            service.cut()
            assert (await listener.wait_for("tunnel", 1))["state"] == "reconnecting"
            assert (await listener.wait_for("tunnel", 2))["state"] == "online"
            page = await browser.new_page()
            await page.goto(listener.ready["inspector_url"])
            await expect(page.locator("#strip rect.outage")).to_have_count(1)
            name = re.compile("1 outage of the tunnel, ")
            await expect(page.locator("#strip svg")).to_have_attribute("aria-label", name)
            await page.close()


async def test_a_search_without_a_match_shows_how_far_it_has_looked(
    browser: Browser, tmp_path: Path
) -> None:
    async with running(path=tmp_path / "history.db") as served:
        await served.receive(FAILURE)
        far = skip_ids(tmp_path / "history.db")
        await served.receive()
        page = await browser.new_page()
        await page.goto(f"{served.address}/?q=video_pull#token={INSPECTOR_TOKEN}")
        empty = page.locator("#empty")
        await expect(empty).to_contain_text(re.compile(r"No match down to #\d+ yet"))
        looked = re.search(r"#(\d+)", await empty.inner_text())
        assert looked is not None
        await page.get_by_role("button", name="Search older").click()
        await expect(empty).not_to_contain_text(looked[0])
        looked = re.search(r"#(\d+)", await empty.inner_text())
        assert looked is not None
        assert int(looked[1]) < far
        await page.close()


async def test_a_bar_of_the_timeline_narrows_the_list_to_its_time(browser: Browser) -> None:
    async with running() as served:
        now = time.time()
        for age in (900, 899, 1):
            await served.receive(FAILURE, received_at=now - age)
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={INSPECTOR_TOKEN}")
        bars = page.locator("#strip [role=button]")
        await expect(bars).to_have_count(2)
        await expect(bars.first).to_have_attribute("aria-label", re.compile(": 2 deliveries, 0 f"))
        await expect(page.locator("#strip")).to_contain_text("valid")
        await bars.last.focus()
        await served.receive(FAILURE)
        # Drawn again for a longer time, so with other bars: the focus stays at its place.
        await expect(bars.last).to_have_attribute("aria-label", re.compile(": 2 deliveries, 0 f"))
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("Enter")
        await expect(page.locator("#list .row")).to_have_count(2)
        assert "since=" in page.url
        await expect(page.locator("#matching")).to_have_text("2 of 4")
        await expect(bars.first).to_have_attribute("aria-pressed", "true")
        await page.click("#reset")
        await expect(page.locator("#list .row")).to_have_count(4)
        await page.close()


async def test_a_timeline_of_a_moment_is_not_shown(view: View) -> None:
    await view.receive()
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await expect(view.page.locator("#strip")).to_be_hidden()


async def test_the_filter_language_narrows_the_list_and_shows_its_error_in_place(
    view: View,
) -> None:
    await view.receive()
    await view.receive(FAILURE)
    page = view.page
    trouble = page.locator("#filter-trouble")
    await view.settle(2)
    await page.keyboard.press("f")
    await page.keyboard.type("post.publish.*")
    await expect(page.locator("#matching")).to_have_text("2 of 2")
    await page.fill("#filter", "post.publish.* content.reason:")
    await expect(trouble).to_contain_text("content.reason: has no value.")
    await expect(page.locator("#filter")).to_have_attribute("aria-invalid", "true")
    await view.settle(2)  # until it can be read, the list stays
    await page.fill("#filter", "post.publish.* content.reason:video*")
    await expect(trouble).to_be_empty()
    await view.settle(1)
    await page.reload()
    await expect(page.locator("#filter")).to_have_value("post.publish.* content.reason:video*")
    await view.settle(1)
    await page.fill("#filter", "post.publish.failled")
    await expect(trouble).to_contain_text(
        "matches no known event. Did you mean post.publish.failed"
    )
    await page.get_by_role("button", name="Reset filters").click()
    await expect(trouble).to_be_empty()
    await view.settle(2)
