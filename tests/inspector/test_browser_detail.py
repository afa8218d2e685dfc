"""A delivery's detail in a real browser: explained, as a tree, hostile, binary, broken."""

import json

import pytest
from playwright.async_api import expect

from tests.inspector.views import View
from tests.listener import BODY

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = 7545201234567890123
HOSTILE = (
    b'{"client_key":"k","event":"<img src=x onerror=alert(1)>","create_time":1,"user_openid":'
    b'"</script><script>alert(2)</script>","content":"{\\"a\\":\\"\\\\u001b[31m\\\\u202eevil\\"}"}'
)


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


async def test_a_forged_delivery_shows_why_it_was_rejected(view: View) -> None:
    await view.receive(BODY, ("Tiktok-Signature", f"t=1756684800,s={'0' * 64}"))
    await view.choose(1)
    await expect(view.page.locator(".band").first).to_contain_text("Signature invalid:")
    await expect(view.page.locator("#detail")).to_contain_text("TikTok was answered 403")


async def test_the_page_shows_that_a_long_forged_body_was_cut(view: View) -> None:
    await view.receive(b"x" * 20_000, ("Tiktok-Signature", f"t=1756684800,s={'0' * 64}"))
    await view.choose(1)
    await expect(view.page.locator("#detail")).to_contain_text(
        "Cut when it was stored; 19.5 KiB in all."
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


async def test_the_selected_view_of_a_body_is_kept_when_the_delivery_changes(view: View) -> None:
    await view.receive()
    await view.choose(1)
    raw = view.page.get_by_role("tab", name="Raw").last
    await raw.click()
    await view.page.click("#replay")
    await expect(view.page.locator("#detail")).to_contain_text("1.2")
    await expect(raw).to_have_attribute("aria-selected", "true")


async def test_the_focus_stays_where_it_is_when_an_attempt_is_added(view: View) -> None:
    await view.receive()
    await view.choose(1)
    page = view.page
    await page.get_by_role("tab", name="Raw").focus()
    for number in (2, 3):
        await page.keyboard.press("r")
        await expect(page.locator(f"#attempt-1\\.{number}")).to_be_visible()
        await expect(page.get_by_role("tab", name="Raw")).to_be_focused()


async def test_arrow_keys_move_between_the_views_of_a_body(view: View) -> None:
    await view.receive()
    await view.choose(1)
    page = view.page
    await page.get_by_role("tab", name="Pretty").focus()
    for key, name in (("ArrowRight", "Raw"), ("End", "Hex"), ("ArrowRight", "Pretty")):
        await page.keyboard.press(key)
        chosen = page.get_by_role("tab", name=name)
        await expect(chosen).to_be_focused()
        await expect(chosen).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#detail pre").last).to_contain_text("000000  7b 22")
    stops = page.locator("#detail [role=tablist]").last.locator("[role=tab][tabindex='0']")
    await expect(stops).to_have_text("Hex")
