"""Bodies of other TikTok platforms are named by what is in them."""

import pytest

from tiktok_hook.events import platform_of, samples

SHOP = b'{"type":1,"tts_notification_id":"7","shop_id":"1","timestamp":1756684800,"data":{}}'


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(SHOP, "TikTok Shop", id="shop"),
        pytest.param(b" \r\n" + SHOP + b"\n", "TikTok Shop", id="shop-spaced"),
        pytest.param(
            b'{"object":"LEAD","entry":[{"lead_id":"1","page_id":"2"}]}',
            "TikTok Lead Generation",
            id="lead-in-entry",
        ),
        pytest.param(b'{"lead_id":7545201234567890123}', "TikTok Lead Generation", id="lead"),
        pytest.param(b'{"data":{"lead_id":"1"}}', "TikTok Lead Generation", id="lead-in-data"),
        pytest.param(b'{"event":"x","content":"{\\"lead_id\\":1}"}', None, id="envelope"),
        pytest.param(b'{"note":"lead_id"}', None, id="a-value"),
        pytest.param(b'{"tts_notification_id":', None, id="cut"),
        pytest.param(b'["tts_notification_id"]', None, id="list"),
        pytest.param(b"[" * 5000 + b'"lead_id"', None, id="bottomless"),
        pytest.param(SHOP + b" " * 70_000, None, id="long"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_body_names_the_platform(body: bytes, name: str | None) -> None:
    assert platform_of(body) == name


def test_no_event_of_the_catalogue_is_of_another_platform() -> None:
    assert {platform_of(body) for body in samples().values()} == {None}
