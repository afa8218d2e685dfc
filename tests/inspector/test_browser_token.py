"""The token stays with the page: no cookie, nothing for other ports, a form where it is missing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.apps import App, http, running_app
from tests.cli.runner import invoke
from tests.inspector.conftest import TOKEN, Served, running
from tests.inspector.views import View
from tests.listener import Listener, listening
from tiktok_hook import paths
from tiktok_hook.forward import Forwarder, ForwardRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = "#list .row"
ATTACK = """<!doctype html><script type=module>
const target = "TARGET";
const tries = {
  cors: () => fetch(`${target}/api/v1/deliveries`, { credentials: "include" }),
  opaque: () => fetch(`${target}/api/v1/deliveries`, { mode: "no-cors", credentials: "include" }),
  clear: () => fetch(`${target}/api/v1/deliveries`, { method: "DELETE", credentials: "include" }),
  post: () => fetch("RECEIVER", { method: "POST", mode: "no-cors", credentials: "include" }),
};
const seen = { storage: sessionStorage.length + localStorage.length, cookie: document.cookie };
for (const [name, attempt] of Object.entries(tries)) {
  try { const reply = await attempt(); seen[name] = `${reply.type} ${reply.status}`; }
  catch (error) { seen[name] = "failed"; }
}
seen.heard = await new Promise((resolve) => {
  const channels = ["tiktok-hook", "tiktok-hook-token"].map((name) => new BroadcastChannel(name));
  for (const each of channels) each.onmessage = (event) => resolve(event.data);
  channels[1].postMessage({ wanted: true });
  setTimeout(() => resolve(null), 500);
});
document.title = JSON.stringify(seen);
</script>"""


@asynccontextmanager
async def tab(context: Browser | BrowserContext, address: str) -> AsyncIterator[Page]:
    page = await context.new_page()
    page.set_default_timeout(10_000)
    try:
        await page.goto(address)
        yield page
    finally:
        await page.close()  # an open stream would keep the inspector from ending


def url_of(served: Served) -> str:
    return f"{served.address}/#token={TOKEN}"


async def test_after_a_visit_no_cookie_exists_and_the_address_holds_no_token(view: View) -> None:
    await view.receive()
    await expect(view.page.locator(ROWS)).to_have_count(1)
    assert await view.page.context.cookies() == []
    assert await view.page.evaluate("document.cookie") == ""
    assert await view.page.evaluate("localStorage.length") == 0
    assert "token" not in view.page.url
    assert "#" not in view.page.url


async def attack(listener: Listener, page: Page) -> tuple[App, dict[str, object]]:
    """Visit a server on another port whose page tries everything that a browser lets it try."""
    base = listener.ready["inspector_url"].partition("/#")[0]
    async with running_app() as other:
        script = ATTACK.replace("TARGET", base).replace("RECEIVER", listener.local_url)
        answer = http(200, script.encode()).replace(b"\r\n", b"\r\nContent-Type: text/html\r\n", 1)
        other.answer = answer
        await page.goto(f"http://127.0.0.1:{other.port}/")
        await page.wait_for_function("document.title.startsWith('{')")
        return other, json.loads(await page.title())


async def test_a_server_on_another_port_sees_nothing_that_opens_the_api(browser: Browser) -> None:
    async with running_app() as app:
        words = ("--no-tunnel", "--ephemeral", "--forward-to", app.url)
        async with listening(*words, secret=None) as listener:
            token = listener.ready["inspector_url"].partition("#token=")[2]
            context = await browser.new_context()
            async with tab(context, listener.ready["inspector_url"]) as page:
                await expect(page.locator("#head")).to_contain_text("received")
                async with tab(context, "about:blank") as evil:
                    other, seen = await attack(listener, evil)
                await expect(page.locator(ROWS)).to_have_count(1)  # what it posted, unsigned
            await context.close()
        requests = b"".join(other.requests + app.requests)
    assert seen == {
        "storage": 0, "cookie": "", "cors": "failed", "opaque": "failed", "clear": "failed",
        "post": "opaque 0", "heard": None,
    }  # fmt: skip
    assert len(token) == 22
    assert token.encode() not in requests
    assert b"cookie:" not in requests.lower()
    assert token not in json.dumps(listener.lines[1:])


async def test_a_reload_keeps_the_token_and_a_second_tab_gets_it_from_the_first(
    browser: Browser,
) -> None:
    async with running() as served:
        await served.receive()
        context = await browser.new_context()
        async with tab(context, f"{served.address}/?id=1#token={TOKEN}") as page:
            await expect(page.locator("#detail h1")).to_contain_text("#1")
            assert page.url == f"{served.address}/?id=1"
            await page.reload()
            await expect(page.locator("#detail h1")).to_contain_text("#1")
            async with tab(context, f"{served.address}/") as second:
                await expect(second.locator(ROWS)).to_have_count(1)
        await context.close()


async def test_without_a_token_the_page_offers_a_field_for_it(browser: Browser) -> None:
    async with running() as served:
        await served.receive()
        context = await browser.new_context()
        async with tab(context, f"{served.address}/?id=1") as page:
            field = page.get_by_label("Token or address")
            await expect(field).to_be_focused()
            await expect(page.locator(ROWS)).to_have_count(0)
            await field.fill("not-the-token")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("alert")).to_contain_text("The token is wrong")
            await field.fill(f"  {url_of(served)} ")
            await page.keyboard.press("Enter")
            await expect(page.locator("#detail h1")).to_contain_text("#1")
            await expect(page.locator(ROWS)).to_have_count(1)
        await context.close()


async def test_the_token_alone_is_accepted_in_the_field_too(browser: Browser) -> None:
    async with running() as served:
        context = await browser.new_context()
        async with tab(context, served.address) as page:
            await page.get_by_label("Token or address").fill(TOKEN)
            await page.keyboard.press("Enter")
            await expect(page.locator("#head")).to_contain_text("received")
        await context.close()


async def test_with_open_access_the_page_asks_for_no_token(browser: Browser) -> None:
    async with running(inspect_open=True) as served:
        await served.receive()
        context = await browser.new_context()
        async with tab(context, served.address) as page:
            await expect(page.locator(ROWS)).to_have_count(1)
        await context.close()


async def test_a_link_on_another_site_opens_the_page(browser: Browser) -> None:
    async with running() as served, running_app() as other:
        await served.receive()
        link = f'<a href="{url_of(served)}">open</a>'.encode()
        answer = http(200, link).replace(b"\r\n", b"\r\nContent-Type: text/html\r\n", 1)
        other.answer = answer
        context = await browser.new_context()
        async with tab(context, f"http://localhost:{other.port}/") as page:
            await page.click("a")
            await expect(page.locator(ROWS)).to_have_count(1)
            assert page.url == f"{served.address}/"
        await context.close()


async def test_a_replaced_token_is_asked_for_and_the_new_address_opens_every_tab(
    browser: Browser,
) -> None:
    tokens = [TOKEN]
    async with running(token=lambda: tokens[-1]) as served:
        context = await browser.new_context()
        async with tab(context, url_of(served)) as page:
            await expect(page.locator("#head")).to_contain_text("received")
            tokens.append("another-token")
            await page.reload()
            await expect(page.get_by_role("alert")).to_contain_text("it was replaced")
            await page.reload()
            await expect(page.get_by_role("alert")).to_contain_text("it was replaced")
            async with tab(context, f"{served.address}/#token=another-token") as second:
                await expect(second.locator("#head")).to_contain_text("received")
                await expect(page.locator("#head")).to_contain_text("received")
            # An address opened over the page changes only the fragment; the page reloads itself.
            tokens.append("third-token")
            await page.evaluate("document.body.dataset.document = 'old'")
            await page.goto(f"{served.address}/#token=third-token")
            await expect(page.locator("body")).not_to_have_attribute("data-document", "old")
            await expect(page.locator("#head")).to_contain_text("received")
            assert page.url == f"{served.address}/"
        await context.close()


async def test_an_address_with_a_wrong_token_takes_the_right_one_from_no_tab(
    browser: Browser,
) -> None:
    """Any site can open one, in a tab of its own or in the page's."""
    async with running() as served:
        context = await browser.new_context()
        async with tab(context, url_of(served)) as page:
            await expect(page.locator("#head")).to_contain_text("received")
            async with tab(context, f"{served.address}/#token=of-another-site") as second:
                await expect(second.get_by_role("alert")).to_contain_text("The token is wrong")
            await page.reload()
            await expect(page.locator("#head")).to_contain_text("received")
            await page.goto(f"{served.address}/?a#token=of-another-site")
            await expect(page.locator("#head")).to_contain_text("received")
            await expect(page.get_by_label("Token or address")).to_have_count(0)
            stored = await page.evaluate("Object.entries(sessionStorage)")
            assert stored == [["token", TOKEN]]
        await context.close()


async def test_rotating_the_token_closes_the_api_and_prints_the_new_address() -> None:
    async with listening("--no-tunnel", "--ephemeral") as listener:
        base, _, before = listener.ready["inspector_url"].partition("/#token=")
        done = await asyncio.to_thread(invoke, "inspect", "--rotate-token")
        assert done.exit_code == 0
        after = paths.user_token()
        assert done.stdout == f"{base}/#token={after}\n"
        assert before not in done.output
        async with Forwarder() as forwarder:
            for token, status in ((before, 401), (after, 200)):
                headers = (("Authorization", f"Bearer {token}"),)
                request = ForwardRequest("GET", f"{base}/api/v1/status", headers)
                assert (await forwarder.send(request)).status == status
