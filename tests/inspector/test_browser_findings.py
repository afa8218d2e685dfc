"""What users stumbled over in the page: each test is one of their findings."""

import asyncio
import gzip
import json
import re
import zlib

import pytest
from playwright.async_api import Browser, expect

from tests.apps import http
from tests.inspector.conftest import TOKEN, running
from tests.inspector.views import FAILURE, View, viewing
from tests.listener import BODY, listening, signed
from tiktok_hook.sanitize import visible

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = "#list .row"


async def test_a_listener_that_ended_is_shown_until_it_is_back(browser: Browser) -> None:
    async with listening("--no-tunnel", "--ephemeral") as listener:
        page = await browser.new_page()
        await page.goto(listener.ready["inspector_url"])
        await expect(page.locator("#empty")).to_contain_text("Waiting for the first delivery")
    bar = page.get_by_role("alert")
    await expect(bar).to_contain_text("tiktok-hook stopped at")
    await expect(bar).to_contain_text("Reconnecting")
    await expect(page.locator("#head")).to_contain_text("not running")
    for tool in ("samples", "export", "clear"):
        await expect(page.locator(f"#open-{tool}")).to_be_disabled()
    port = listener.ready["inspector_url"].partition("127.0.0.1:")[2].partition("/")[0]
    async with listening("--no-tunnel", "--ephemeral", "--inspect-port", port):
        await expect(bar).to_be_hidden()
        await expect(page.locator("#open-samples")).to_be_enabled()
    await page.close()


async def test_what_only_the_listener_can_do_is_disabled_once_it_has_ended(
    browser: Browser,
) -> None:
    page = await browser.new_page()
    async with running() as served:
        await served.receive(FAILURE)
        await page.goto(f"{served.address}/#token={TOKEN}")
        age = page.locator("#detail .age").first
        await expect(age).to_have_text(re.compile(r"\d+ s ago"))
    await expect(page.locator("#lost")).to_contain_text("stopped at")
    buttons = page.locator("#detail .actions button")
    await expect(buttons).to_have_count(8)
    enabled = page.locator("#detail .actions button:not([disabled])")
    await expect(enabled).to_have_text(["Copy body"])
    await age.evaluate("each => { each.dataset.stamp -= 3600000; }")
    await expect(age).to_have_text("60 min ago")
    await page.close()


async def test_the_reason_of_a_failure_is_shown_and_its_attempt_is_open(view: View) -> None:
    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await view.choose(1)
        await expect(view.page.locator("#attempt-1\\.1")).to_contain_text("not finished")
        writer.write(http(500, b"broken"))
        await writer.drain()

    view.app.answer = slowly
    await view.receive(FAILURE)
    await expect(view.page.locator("#failure")).to_contain_text("App answered 500")
    await expect(view.page.locator("#failure p")).not_to_be_empty()
    await expect(view.page.locator("#attempt-1\\.1")).to_have_attribute("open", "")


async def test_rows_keep_their_place_when_others_arrive(view: View) -> None:
    for _ in range(40):
        await view.receive(FAILURE)
    page = view.page
    await view.settle(40)
    await page.evaluate("document.querySelector('#left').scrollTop = 200")
    top = "document.querySelector('{}').getBoundingClientRect().top"
    place = f"{top.format('#row-20')} - {top.format('#left')}"  # what is above the list may grow
    before = await page.evaluate(place)
    for _ in range(3):
        await view.receive()
    await expect(page.locator("#pill")).to_have_text("3 new ↑")
    assert abs(await page.evaluate(place) - before) <= 1
    # Playwright's own click first scrolls a sticky element's place into view, which is the top.
    await page.locator("#pill").dispatch_event("click")
    await expect(page.locator("#row-43")).to_be_in_viewport()
    await expect(page.locator("#pill")).to_be_hidden()


async def test_the_keyboard_reaches_rows_beyond_the_page_with_one_tab_stop(
    browser: Browser,
) -> None:
    async with running() as served:
        for _ in range(60):
            await served.receive()
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={TOKEN}")
        await expect(page.locator("#detail h1")).to_contain_text("#60 ")  # the newest
        assert await page.locator("#list [tabindex='0']").count() == 1
        for _ in range(55):
            await page.keyboard.press("ArrowDown")
        await expect(page.locator("#detail h1")).to_contain_text("#5 ")
        await expect(page.locator("#row-5")).to_have_class(re.compile("chosen"))
        await page.keyboard.press("k")
        await expect(page.locator("#detail h1")).to_contain_text("#6 ")
        await page.close()


async def test_a_delivery_of_an_address_is_shown_in_the_list_too(browser: Browser) -> None:
    async with running() as served:
        for _ in range(120):
            await served.receive()
        page = await browser.new_page()
        await page.goto(f"{served.address}/?id=18#token={TOKEN}")
        await expect(page.locator("#row-18")).to_have_class(re.compile("chosen"))
        await expect(page.locator("#pill")).to_contain_text("Newest")
        await page.keyboard.press("j")
        await expect(page.locator("#detail h1")).to_contain_text("#17 ")
        await page.click("#pill")
        await expect(page.locator("#row-120")).to_be_in_viewport()
        await page.goto(f"{served.address}/?id=99999")
        await expect(page.locator("#detail")).to_contain_text("There is no delivery 99999.")
        await page.close()


async def test_other_requests_are_listed_by_method_and_path(browser: Browser) -> None:
    async with running() as served:
        await served.receive(b"log=admin", path="/wp-login.php")
        await served.receive(b'{"event":"' + b"long." * 40 + b'"}')
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={TOKEN}")
        await expect(page.locator("#row-1")).to_contain_text("POST /wp-login.php")
        heights = "[...document.querySelectorAll('#list li')].map((each) => each.offsetHeight)"
        assert max(await page.evaluate(heights)) <= 36
        await page.close()


async def test_filters_are_counted_marked_and_reset(browser: Browser) -> None:
    async with running() as served:
        await served.receive()
        await served.receive(FAILURE)
        page = await browser.new_page()
        await page.goto(f"{served.address}/?event=post.publish.failed#token={TOKEN}")
        await expect(page.locator("#matching")).to_have_text("1 of 2")
        await expect(page.locator("select[name=event]")).to_have_class("active")
        await page.get_by_role("button", name="0 rejected").click()
        await expect(page.locator("#empty")).to_contain_text("No match for these filters.")
        await page.get_by_role("button", name="Reset filters").click()
        await expect(page.locator(ROWS)).to_have_count(2)
        await page.goto(f"{served.address}/?verdict=bogus")
        await expect(page.locator("#empty")).to_contain_text("verdict must be one of valid, ")
        await page.goto(f"{served.address}/?filter=not")
        for place in ("#empty", "#filter-trouble"):
            await expect(page.locator(place)).to_contain_text("not is not a term of a filter.")
        await page.get_by_role("button", name="Reset filters").click()
        await expect(page.locator(ROWS)).to_have_count(2)
        await page.close()


async def test_on_a_narrow_screen_rows_begin_early_and_filters_wait(browser: Browser) -> None:
    async with viewing(browser, width=400) as view:
        await view.receive(FAILURE)
        await view.settle(1)
        # The row is drawn again when its answer comes: `evaluate` waits for one that is attached.
        top = await view.page.locator("#row-1").evaluate("row => row.getBoundingClientRect().top")
        assert top < 200
        await expect(view.page.locator("select[name=event]")).to_be_hidden()
        await view.page.get_by_role("button", name="Filters").click()
        await expect(view.page.locator("select[name=event]")).to_be_visible()


async def test_an_empty_page_shows_what_to_do(view: View) -> None:
    empty = view.page.locator("#empty")
    await expect(empty).to_contain_text("There is no tunnel, so TikTok cannot reach this receiver")
    await empty.get_by_role("button", name="Send a sample…").click()
    item = view.page.get_by_role("button", name="Send post.publish.failed", exact=True)
    await item.click()
    await view.page.keyboard.press("Escape")
    await view.settle(1)
    await expect(view.page.locator("#detail h1")).to_contain_text("#1 ")


async def test_a_sample_can_be_edited_and_wrongly_signed_first(view: View) -> None:
    page = view.page
    await page.click("#open-samples")
    await page.get_by_role("button", name="Edit post.publish.failed").click()
    await page.fill("#sample-content", '{"reason": "spam_risk"')
    await expect(page.get_by_role("alert").last).to_contain_text("The content is not valid JSON")
    await expect(page.locator("#sample-send")).to_be_disabled()
    await page.fill("#sample-content", '{"reason": "spam_risk"}')
    await page.select_option("#sample-signing", "bad")
    await page.locator("#sample-content").press("Control+Enter")
    await view.settle(1)
    await expect(page.locator("#row-1")).to_contain_text("invalid")
    await expect(page.locator("#row-1")).to_contain_text("spam_risk")


async def test_a_scenario_can_be_sent(view: View) -> None:
    await view.page.click("#open-samples")
    await view.page.get_by_role("button", name="Send scenario publish", exact=True).click()
    await expect(view.page.locator("#announcement")).to_have_text("Sent publish: 200, 200")
    await view.settle(2)


async def test_invalid_json_is_reported_while_it_is_typed_and_ctrl_enter_sends(view: View) -> None:
    await view.receive(FAILURE)
    await view.choose(1)
    page = view.page
    await page.click("#edit")
    await expect(page.locator("#replay-content")).to_be_focused()
    await page.fill("#replay-content", "{")
    await expect(page.locator("#dialog [role=alert]")).to_contain_text("not valid JSON")
    await expect(page.locator("#dialog .diff")).to_be_empty()
    await page.fill("#replay-content", '{"reason": "edited"}')
    await page.locator("#replay-content").press("Control+Enter")
    await expect(page.locator("#attempt-1\\.2 summary")).to_contain_text("edited")
    assert b"edited" in view.app.bodies[1]


async def test_a_long_query_does_not_scroll_the_page_sideways(browser: Browser) -> None:
    async with running() as served:
        await served.receive(query="a=" + "b" * 3000)
        page = await browser.new_page()
        await page.goto(f"{served.address}/#token={TOKEN}")
        await expect(page.locator("#detail .line").first).to_contain_text("bbb")
        wide = "document.querySelector('#detail').scrollWidth - innerWidth"
        assert await page.evaluate(wide) <= 0
        await page.close()


async def test_a_header_in_utf_8_is_readable_and_times_have_24_hours(browser: Browser) -> None:
    async with running() as served:
        name = "caf\u00e9 \U0001f3b5".encode().decode("latin-1")
        await served.receive(headers=(("X-Name", name), ("X-Other", "\xff")), received_at=1.7e9)
        page = await browser.new_page(locale="en-US", timezone_id="America/New_York")
        await page.goto(f"{served.address}/#token={TOKEN}")
        await expect(page.locator("#detail")).to_contain_text("caf\u00e9 \U0001f3b5")
        await expect(page.locator("#detail")).to_contain_text("X-Other\u00ff")
        await expect(page.locator("#detail time")).to_have_text("Nov 14, 2023, 17:13:20")
        await expect(page.locator("#row-1 time")).to_have_text("17:13:20")
        await page.close()


async def test_picked_deliveries_have_their_actions_next_to_them(view: View) -> None:
    for _ in range(4):
        await view.receive(FAILURE)
    page = view.page
    await view.settle(4)
    await page.click("#row-4 input")
    await page.click("#row-2 input", modifiers=["Shift"])
    await expect(page.locator("#picked")).to_contain_text("3 selected")
    await page.get_by_role("button", name="Clear selection").click()
    await expect(page.locator("#picked")).to_be_hidden()
    await page.click("#row-1 .row")
    await page.keyboard.press("x")
    await expect(page.locator("#picked")).to_contain_text("1 selected")


async def test_a_compressed_response_is_shown_decompressed(view: View) -> None:
    packed = zlib.compressobj(wbits=31)
    body = packed.compress(b'{"error":"no such user"}') + packed.flush()
    view.app.answer = http(500, body).replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)
    await view.receive(BODY)
    await view.choose(1)
    await expect(view.page.locator("#attempt-1\\.1")).to_contain_text('"error": "no such user"')


@pytest.mark.parametrize("case", ["cut", "charset"])
async def test_a_compressed_response_is_read_as_far_as_possible(view: View, case: str) -> None:
    cut = case == "cut"
    text = "".join(f"line {each}: a reason\n" for each in range(9000)) if cut else "Schlüssel"
    body = gzip.compress(text.encode("latin-1"), compresslevel=1)
    body = body[: len(body) // 2] if cut else body
    head = b"\r\nContent-Encoding: gzip\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    view.app.answer = http(500, body).replace(b"\r\n", head, 1)
    await view.receive(BODY)
    await view.choose(1)
    panel = view.page.locator("#attempt-1\\.1 [role=tabpanel]").first
    await expect(panel).to_contain_text("line 1: a reason" if cut else "Schlüssel")


async def test_copy_as_curl_is_one_command_to_the_app(view: View) -> None:
    await view.receive()
    await view.choose(1)
    await view.page.get_by_role("button", name="Copy as cURL").click()
    await expect(view.page.locator("#announcement")).to_contain_text("cURL")
    copied = await view.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -X 'POST' \\\n")
    assert copied.count("curl") == 1
    assert f"'{view.app.url}" in copied
    assert "Tiktok-Signature: t=" in copied


async def test_an_error_is_never_copied_as_curl(view: View) -> None:
    await view.receive()
    await view.choose(1)
    await view.page.evaluate("navigator.clipboard.writeText('before')")
    await view.page.route(
        "**/api/v1/deliveries/1/curl", lambda route: route.fulfill(status=503, body="{}")
    )
    await view.page.get_by_role("button", name="Copy as cURL").click()
    await expect(view.page.locator("#announcement")).to_contain_text("503")
    assert await view.page.evaluate("navigator.clipboard.readText()") == "before"
    view.troubles.clear()  # the browser reports the 503


async def test_content_that_is_too_deep_to_read_is_named_and_shown(view: View) -> None:
    deep = json.dumps('{"publish_id":' + '{"a":' * 119 + "1" + "}" * 120)
    await view.receive(
        FAILURE[: FAILURE.index(b'"content"')] + b'"content":' + deep.encode() + b"}"
    )
    await expect(view.page.locator("#row-1")).to_contain_text("nested deeper than 100")
    await view.choose(1)
    detail = view.page.locator("#detail")
    await expect(detail).to_contain_text("its content is nested deeper than 100")
    await expect(detail.locator(".event")).to_contain_text("publish_id: {…} 1 key")
    await expect(detail).not_to_contain_text("no reason")


async def test_compare_ignores_the_order_of_headers(view: View) -> None:
    page = view.page
    one, other = ("X-First", "1"), ("X-Second", "2")
    await view.receive(FAILURE, signed(FAILURE), one, other)
    await view.receive(FAILURE, signed(FAILURE), other, one)
    await view.settle(2)
    for number in (1, 2):
        await page.check(f"#row-{number} input")
    await page.click("#compare")
    await expect(page.locator("#dialog .diff")).to_contain_text("X-Second: 2")
    changed = await page.locator("#dialog :is(ins, del)").all_inner_texts()
    assert [each for each in changed if not each.startswith("Tiktok-Signature")] == []


async def test_page_and_terminal_escape_the_same_characters(view: View) -> None:
    script = """async () => {
      const { visible } = await import("/static/words.js");
      const found = [];
      for (let code = 0; code < 0x110000; code += 1) {
        const text = String.fromCodePoint(code);
        if (visible(text) !== text) found.push([code, visible(text)]);
      }
      return found;
    }"""
    found = dict(await view.page.evaluate(script))
    ours = {
        code: visible(chr(code), keep_newlines=True)
        for code in range(0x110000)
        if visible(chr(code), keep_newlines=True) != chr(code)
    }
    assert found == ours
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f\u200d\U0001f525"
    for text in (family, "pay\u200dpal", "\U0001f468\u200d\u200d\U0001f469"):
        script = "async (text) => (await import('/static/words.js')).visible(text)"
        assert await view.page.evaluate(script, text) == visible(text)
    assert visible(family) == family
