"""For the tests of your own handler: signed requests, and a fixture that posts them at your app.

    def test_a_failed_post_is_accepted(tiktok_webhook):
        send = tiktok_webhook(app, secret="example-client-secret", path="/webhooks/tiktok")
        assert send.event("post.publish.failed", **{"content.reason": "spam_risk"}).status == 200

pytest finds the fixture by itself where the package is installed. Tests without pytest
use `TiktokWebhook` as a context manager, or `signed` and `signed_event` with a client of their own.

Names are imported when they are first used: pytest imports this package whenever it starts, also
where no test needs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.testing.exchange import Response
    from tiktok_hook.testing.signed_request import SignedRequest, signed, signed_event
    from tiktok_hook.testing.webhook import Send, TiktokWebhook

_HOMES = {
    "Response": "exchange",
    "Send": "webhook",
    "SignedRequest": "signed_request",
    "TiktokWebhook": "webhook",
    "signed": "signed_request",
    "signed_event": "signed_request",
}

__all__ = [
    "Response",
    "Send",
    "SignedRequest",
    "TiktokWebhook",
    "signed",
    "signed_event",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
