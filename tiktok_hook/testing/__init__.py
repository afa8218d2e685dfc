"""For the tests of your own handler: signed requests, and a fixture that posts them at your app.

    pytest_plugins = ["tiktok_hook.testing"]

    def test_a_failed_post_is_accepted(tiktok_webhook):
        send = tiktok_webhook(app, secret="client-secret", path="/webhooks/tiktok")
        assert send.event("post.publish.failed", **{"content.reason": "spam_risk"}).status == 200

pytest is imported by the plugin alone, which pytest itself loads. Tests without pytest
uses `TiktokWebhook` as a context manager, or `signed` and `signed_event` with a client of its own.

PYTEST_DONT_REWRITE: nothing in here asserts, so that it may be imported before pytest rewrites it.
"""

from tiktok_hook.testing.exchange import Response
from tiktok_hook.testing.signed import SignedRequest, signed, signed_event
from tiktok_hook.testing.webhook import Send, TiktokWebhook

__all__ = [
    "Response",
    "Send",
    "SignedRequest",
    "TiktokWebhook",
    "signed",
    "signed_event",
]

pytest_plugins = ["tiktok_hook.testing.plugin"]
