"""The page in a real browser, in front of the real command."""

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.apps import App, http, running_app
from tests.inspector.conftest import TOKEN as HOUSE_TOKEN
from tests.inspector.conftest import running, skip_ids
from tests.listener import BODY, SECRET, TOKEN, Listener, listening, post
from tests.ngrok_service import NgrokService
from tests.pictures.page import ARGUMENTS, WORDS, answering, drawn
from tiktok_hook import events, signature

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHROMIUM = shutil.which("chromium")
FAILURE = events.sample("post.publish.failed")
BIG = 7545201234567890123
AXE = files("axe_playwright_python") / "axe.min.js"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WRONG = """() => axe.run(document, {resultTypes: ["violations"]}).then(({violations}) =>
    violations.flatMap(({id, nodes}) => nodes.map(({target}) => `${id} at ${target.join(" ")}`)))"""
HOSTILE = (
    b'{"client_key":"k","event":"<img src=x onerror=alert(1)>","create_time":1,"user_openid":'
    b'"</script><script>alert(2)</script>","content":"{\\"a\\":\\"\\\\u001b[31m\\\\u202eevil\\"}"}'
)


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

    def row(self, number: int) -> str:
        return f"#row-{number} .row"

    async def choose(self, number: int) -> None:
        await self.page.click(self.row(number))
        await expect(self.page.locator("#detail h1")).to_contain_text(f"#{number} ")


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
            page.set_default_timeout(10_000)
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


@pytest_asyncio.fixture(loop_scope="module")
async def view(browser: Browser) -> AsyncIterator[View]:
    async with viewing(browser) as made:
        yield made


def signed_right(request: bytes) -> bool:
    """Whether the app's own check would take a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ntiktok-signature: *([^\r]+)", head)
    header = found[1].decode() if found else None
    return signature.check(header, body, SECRET, now=time.time()).state is signature.State.VALID


async def test_a_delivery_appears_without_a_reload(view: View) -> None:
    await expect(view.page.locator("#empty")).to_be_visible()
    await view.receive(FAILURE)
    row = view.page.locator(view.row(1))
    await expect(row).to_contain_text("post.publish.failed")
    await expect(row).to_contain_text("video_pull_failed for v_pub_url~")
    await expect(row).to_contain_text("valid 200")
    await expect(row).to_contain_text("app 200")
    await expect(view.page.locator("#head")).to_contain_text("1 received")


async def test_the_token_is_not_left_in_the_address(view: View) -> None:
    assert "token" not in view.page.url
    assert await view.page.evaluate("document.cookie") == ""


async def test_a_slow_apps_answer_comes_to_its_row(view: View) -> None:
    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await expect(view.page.locator(view.row(1))).to_contain_text("…")
        writer.write(http(503, b"busy"))
        await writer.drain()

    view.app.answer = slowly
    await view.receive()
    await expect(view.page.locator(view.row(1))).to_contain_text("valid 503")
    await expect(view.page.locator(view.row(1))).to_contain_text("app 503")


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


async def test_any_answer_can_be_filtered_for(view: View) -> None:
    view.app.answer = answering(418)
    await view.receive()
    await view.page.goto(view.page.url + "?status=418")
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await expect(view.page.locator("select[name=status]")).to_have_value("418")


async def test_broken_content_is_shown_with_the_place_where_it_breaks(view: View) -> None:
    await view.receive(json.dumps({"event": "e", "content": '{"a": oops}'}).encode())
    await view.choose(1)
    content = view.page.locator("#detail table.event tr", has_text="content")
    await expect(content.locator("mark")).to_have_text("o")
    await expect(content).to_contain_text("character 7")


async def test_a_failure_is_explained(view: View) -> None:
    content = json.dumps({"publish_id": "v_pub_url~1", "reason": "spam_risk", "post_id": BIG})
    await view.receive(
        json.dumps(
            {"event": "post.publish.failed", "create_time": BIG, "content": content}
        ).encode()
    )
    await view.choose(1)
    detail = view.page.locator("#detail")
    await expect(detail).to_contain_text("Signature valid")
    await expect(detail).to_contain_text("the request was judged risky")
    await expect(detail.locator(".pairs").first).to_contain_text(str(BIG))
    await expect(detail.locator("pre.json").last).to_contain_text(f'"post_id": {BIG}')


async def test_content_is_a_tree_that_the_keyboard_opens(view: View) -> None:
    content = json.dumps(
        {"reason": "spam_risk", "posts": [{"id": BIG, "deep": {"x": [1, {"y": BIG + 2}]}}]}
    )
    await view.receive(json.dumps({"event": "post.publish.failed", "content": content}).encode())
    await view.choose(1)
    page = view.page
    tree = page.locator("#detail table.event")
    await expect(tree.get_by_text("the request was judged risky")).to_be_visible()
    await expect(tree).not_to_contain_text(str(BIG))
    for closed in ("2 keys", "1 key", "2 values"):
        await tree.locator("details:not([open]) > summary", has_text=closed).first.focus()
        await page.keyboard.press("Enter")
    await expect(tree).to_contain_text(f"id: {BIG}")
    await page.keyboard.press("r")  # an attempt more draws the delivery anew
    await expect(page.locator("#attempt-1\\.2")).to_be_visible()
    await expect(tree).to_contain_text(f"id: {BIG}")
    await expect(tree.locator("details:not([open]) > summary")).to_have_text("1: {…} 1 key")


async def test_a_huge_tree_costs_what_is_looked_at(view: View) -> None:
    deep: object = "bottom"
    for _ in range(150):
        deep = {"a": deep}
    content = json.dumps({"many": list(range(50_000)), "deep": deep, "long": "x" * 100_000})
    await view.receive(json.dumps({"event": "e", "content": content}).encode())
    await view.choose(1)
    tree = view.page.locator("#detail table.event")
    assert await tree.locator("*").count() < 200
    await tree.locator("summary", has_text="50000 values").click()
    await expect(tree.get_by_text("49900 more")).to_be_visible()
    await tree.get_by_text("49900 more").click()
    await expect(tree.get_by_text("49800 more")).to_be_visible()
    await tree.get_by_text("98000 characters more").click()
    await expect(tree).to_contain_text("x" * 100_000)


async def test_a_forged_delivery_says_why_it_was_refused(view: View) -> None:
    await view.receive(BODY, ("Tiktok-Signature", f"t=1756684800,s={'0' * 64}"))
    await view.choose(1)
    await expect(view.page.locator(".verdict")).to_contain_text("Signature invalid:")
    await expect(view.page.locator("#detail")).to_contain_text("TikTok was answered 403")


async def test_of_a_long_forged_body_the_page_says_that_it_was_cut(view: View) -> None:
    await view.receive(b"x" * 20_000, ("Tiktok-Signature", f"t=1756684800,s={'0' * 64}"))
    await view.choose(1)
    await expect(view.page.locator("#detail")).to_contain_text(
        "Cut when it was stored, 20000 bytes in all."
    )


async def test_a_binary_body_is_shown_in_hex(view: View) -> None:
    await view.receive(bytes(range(256)))
    await view.choose(1)
    await expect(view.page.locator("#detail pre").last).to_contain_text(
        "000040  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO"
    )


async def test_broken_json_is_shown_with_the_place_where_it_breaks(view: View) -> None:
    await view.receive(b'{"event": oops}')
    await view.choose(1)
    await expect(view.page.locator("#detail mark")).to_have_text("o")
    await expect(view.page.locator("#detail pre").last).to_contain_text("character 11")


async def test_hostile_payloads_are_text(view: View) -> None:
    await view.receive(HOSTILE)
    await view.receive(b"<script>alert(3)</script>")
    await view.receive(b'{"event":' + b"[" * 50_000 + b"1")
    await view.choose(1)
    await expect(view.page.locator("#detail h1")).to_contain_text("<img src=x onerror=alert(1)>")
    text = await view.page.inner_text("#detail")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u202e" in text
    assert await view.page.locator("#detail img, #detail script, #list img").count() == 0
    await view.choose(2)
    await view.choose(3)
    await expect(view.page.locator("#detail pre").last).to_contain_text("nested too deep")


async def test_one_click_replays_to_the_app(view: View) -> None:
    await view.receive()
    await view.choose(1)
    await view.page.click("#replay")
    await view.app.wait_for(2)
    assert view.app.bodies[1] == BODY
    assert signed_right(view.app.requests[1])
    await expect(view.page.locator("#attempt-1\\.2")).to_contain_text("replay")


async def test_an_edited_replay_is_signed_afresh_and_keeps_every_digit(view: View) -> None:
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


@pytest.mark.parametrize(
    ("way", "line"),
    [("redelivery", "#1: complete → complete"), ("user", "complete → publicly available → compl")],
)
async def test_deliveries_are_grouped(view: View, way: str, line: str) -> None:
    for name in ("complete", "publicly_available", "complete"):
        await view.receive(events.sample(f"post.publish.{name}"))
    await view.page.select_option("select[name=group]", way)
    await expect(view.page.locator("#list .group")).to_contain_text(line)
    await expect(view.page.locator("#list .group")).to_have_count(1)


async def test_everything_can_be_done_with_the_keyboard(view: View) -> None:
    page = view.page
    await view.receive()
    await view.receive(FAILURE)
    await expect(page.locator("#list .row")).to_have_count(2)
    await page.keyboard.press("j")
    await expect(page.locator("#detail h1")).to_contain_text("#2 ")
    await page.keyboard.press("j")
    await expect(page.locator("#detail h1")).to_contain_text("#1 ")
    await page.keyboard.press("k")
    await expect(page.locator("#detail h1")).to_contain_text("#2 ")
    await page.keyboard.press("r")
    await view.app.wait_for(3)
    assert view.app.bodies[2] == FAILURE
    await page.keyboard.press("e")
    await expect(page.locator("#replay-target")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("#dialog kbd").first).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(page.locator("#said")).to_have_text("Callback URL copied.")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == view.listener.url


async def test_a_sample_can_be_sent(view: View) -> None:
    await view.page.click("#open-samples")
    item = view.page.locator("#dialog li", has_text="authorization.removed")
    await item.get_by_role("button").click()
    await expect(view.page.locator(view.row(1))).to_contain_text("trigger")


async def test_the_history_is_cleared_only_when_asked_twice(view: View) -> None:
    await view.receive()
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await view.page.click("#open-clear")
    await view.page.keyboard.press("Escape")
    await view.page.click("#open-clear")
    await view.page.locator("#dialog button.main, #dialog button.bad").last.click()
    await expect(view.page.locator("#list .row")).to_have_count(0)


async def test_what_came_while_the_page_was_closed_is_there_after_a_reload(view: View) -> None:
    await view.receive()
    await expect(view.page.locator("#list .row")).to_have_count(1)
    await view.page.goto("about:blank")
    await view.receive(FAILURE)
    await view.page.goto(view.listener.ready["inspector_url"].partition("?")[0])
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


async def test_a_page_of_another_port_gets_at_nothing(view: View) -> None:
    await view.receive()
    view.app.answer = http(200, b"<!doctype html><p>hello", "Content-Type: text/html")
    other = await view.page.context.new_page()  # with the same cookies, on the same site
    await other.goto(view.app.url)
    seen = await other.evaluate(
        """async (page) => {
            const ways = [
                ["GET", "cors", undefined, {}],
                ["DELETE", "cors", undefined, {}],
                ["POST", "cors", "{}", {"Content-Type": "application/json"}],
                ["POST", "no-cors", "{}", {"Content-Type": "text/plain"}],
            ];
            const found = [];
            for (const [method, mode, body, headers] of ways) {
                const path = method === "POST" ? "deliveries/1/replay" : "deliveries";
                const options = {method, mode, body, headers, credentials: "include"};
                const answer = await fetch(`${page}api/v1/${path}`, options).catch(() => null);
                found.push(answer === null ? "refused" : answer.type);
            }
            return found;
        }""",
        view.page.url,
    )
    assert seen == ["refused"] * 4
    assert [request for request in view.app.requests[1:] if request.startswith(b"POST")] == []
    await view.page.reload()
    await expect(view.page.locator("#list .row")).to_have_count(1)


async def test_a_narrow_page_shows_one_thing_at_a_time_and_never_scrolls_sideways(
    browser: Browser,
) -> None:
    async with viewing(browser, width=400) as view:
        await view.receive(FAILURE)
        await view.choose(1)
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await view.page.evaluate(wide)
        await expect(view.page.locator("#list")).to_be_hidden()
        await view.page.locator("#detail .back").click()
        await expect(view.page.locator("#list")).to_be_visible()
        assert not await view.page.evaluate(wide)


async def test_everything_to_press_or_fill_in_has_a_name(view: View) -> None:
    await view.receive()
    await view.choose(1)
    await view.page.click("#edit")
    nameless = await view.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, a[href]")]
            .filter((each) => !(each.ariaLabel || each.textContent.trim() || each.labels?.length))
            .map((each) => each.outerHTML)"""
    )
    assert nameless == []


async def test_axe_finds_nothing_wrong(view: View) -> None:
    page = view.page
    await view.receive()
    await view.receive(FAILURE)
    await view.receive(b"{oops", ("Tiktok-Signature", "t=1,s=00"))
    view.app.answer = answering(500)
    await view.receive(FAILURE)
    await page.select_option("select[name=group]", "publish_id")
    devtools = await page.context.new_cdp_session(page)  # which the page's own policy lets in
    await devtools.send("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
    found: list[str] = []

    async def look(state: str) -> None:
        for scheme in SCHEMES:
            for width in (1280, 400):
                await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                await page.set_viewport_size({"width": width, "height": 800})
                wrong = await page.evaluate(WRONG)
                found.extend(f"{state}, {scheme}, {width} px: {each}" for each in wrong)
        await page.set_viewport_size({"width": 1280, "height": 800})

    await look("list")
    await page.check("#row-1 input")
    await page.check("#row-2 input")
    await page.click("#compare")
    await look("compare")
    await page.keyboard.press("Escape")
    await view.choose(4)
    await page.locator(".attempt summary").first.click()
    await look("detail")
    await page.click("#edit")
    await look("edit")
    assert found == []


async def test_news_do_not_take_the_keyboard_or_a_half_typed_word(view: View) -> None:
    await view.receive()
    page = view.page
    await page.focus("#search")
    await page.keyboard.type("video_", delay=60)
    await expect(page.locator("#list .row")).to_have_count(0)
    for _ in range(2):
        await view.receive(FAILURE)
    await page.keyboard.type("pull")
    await expect(page.locator("#search")).to_have_value("video_pull")
    await expect(page.locator("#list .row")).to_have_count(2)
    await page.focus("#row-2 .row")
    await view.receive(FAILURE)
    await expect(page.locator("#list .row")).to_have_count(3)
    await expect(page.locator("#row-2 .row")).to_be_focused()


async def test_the_strip_narrows_the_list_to_its_time(view: View) -> None:
    await view.receive()
    bar = view.page.locator("#strip [role=button]").first
    await expect(bar).to_have_attribute("aria-label", re.compile(": 1 deliveries, 0 failed"))
    await bar.focus()
    await view.page.keyboard.press("Enter")
    await expect(view.page.get_by_text("Clear the selection")).to_be_visible()
    assert "since=" in view.page.url
    await expect(view.page.locator("#list .row")).to_have_count(1)


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
            await expect(page.locator("#strip .outage")).to_have_count(1)
            name = re.compile("1 outage of the tunnel, 0 deliveries")
            await expect(page.locator("#strip svg")).to_have_attribute("aria-label", name)
            await page.close()


async def test_a_search_without_a_find_says_how_far_it_has_looked(
    browser: Browser, tmp_path: Path
) -> None:
    async with running(path=tmp_path / "history.db") as house:
        await house.receive(FAILURE)
        far = skip_ids(tmp_path / "history.db")
        await house.receive()
        page = await browser.new_page()
        await page.goto(f"{house.address}/?token={HOUSE_TOKEN}&q=video_pull")
        empty = page.locator("#empty")
        await expect(empty).to_contain_text(re.compile(r"Nothing found down to #\d+ yet"))
        looked = re.search(r"#(\d+)", await empty.inner_text())
        assert looked is not None
        await page.get_by_role("button", name="Search older").click()
        await expect(empty).not_to_contain_text(looked[0])
        looked = re.search(r"#(\d+)", await empty.inner_text())
        assert looked is not None
        assert int(looked[1]) < far
        await page.close()


async def test_the_readmes_picture_shows_what_the_page_shows_today(browser: Browser) -> None:
    assert await drawn(browser) == WORDS.read_text("utf-8"), "run `make pictures`"
