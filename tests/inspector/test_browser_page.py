"""The page as a whole in a real browser: keyboard, screen reader, narrow windows, other pages."""

from importlib.resources import files
from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from tests.apps import http
from tests.inspector.views import FAILURE, View, viewing
from tests.pictures.page import WORDS, answering, drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")

AXE = files("axe_playwright_python") / "axe.min.js"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WRONG = """() => axe.run(document, {resultTypes: ["violations"]}).then(({violations}) =>
    violations.flatMap(({id, nodes}) => nodes.map(({target}) => `${id} at ${target.join(" ")}`)))"""


async def test_the_token_is_not_left_in_the_address(view: View) -> None:
    assert "token" not in view.page.url
    assert await view.page.evaluate("document.cookie") == ""


async def test_everything_can_be_done_with_the_keyboard(view: View) -> None:
    page = view.page
    await view.receive()
    await view.receive(FAILURE)
    await expect(page.locator("#list .row")).to_have_count(2)
    await page.keyboard.press("k")
    await expect(page.locator("#detail h1")).to_contain_text("#2 ")
    await page.keyboard.press("j")
    await expect(page.locator("#detail h1")).to_contain_text("#1 ")
    await page.keyboard.press("k")
    await expect(page.locator("#detail h1")).to_contain_text("#2 ")
    await page.keyboard.press("r")
    await view.app.wait_for(3)
    assert view.app.bodies[2] == FAILURE
    await page.keyboard.press("e")
    await expect(page.locator("#replay-content")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("#dialog kbd").first).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(page.locator("#announcement")).to_have_text("Callback URL copied.")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == view.listener.url


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
    await view.settle(1)  # an empty page hides the search
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


async def test_the_readmes_picture_shows_what_the_page_shows_today(browser: Browser) -> None:
    assert await drawn(browser) == WORDS.read_text("utf-8"), "run `make pictures`"


async def test_a_narrow_dialog_cuts_nothing_off(browser: Browser) -> None:
    async with viewing(browser, width=400) as view:
        await view.page.click("#open-samples")
        words = view.page.locator("#dialog li > span")
        widths = await words.evaluate_all("all => all.map((each) => each.clientWidth)")
        assert min(widths) > 200
        fits = "(box) => box.scrollWidth <= box.clientWidth"
        assert await view.page.locator("#dialog").evaluate(fits)
