"""The plugin that pytest finds by its entry point; named like this module, so that it loads once.

It imports next to nothing: pytest loads it at every start, also where no test uses a fixture.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tiktok_hook.background import Background
    from tiktok_hook.testing.webhook import TiktokWebhook


@pytest.fixture(scope="session")
def tiktok_webhook_background() -> "Iterator[Background]":
    """Where apps run; one event loop for all tests, since an aiohttp app keeps to its first."""
    from tiktok_hook.background import Background

    with Background() as background:
        yield background


@pytest.fixture
def tiktok_webhook(tiktok_webhook_background: "Background") -> "Iterator[TiktokWebhook]":
    """Posts signed TikTok events at an app: ``tiktok_webhook(app, secret=…, path=…)``."""
    from tiktok_hook.testing.webhook import TiktokWebhook

    with TiktokWebhook(background=tiktok_webhook_background) as webhook:
        yield webhook
