"""The plugin for pytest, switched on with ``pytest_plugins = ["tiktok_hook.testing"]``.

PYTEST_DONT_REWRITE: nothing in here asserts.
"""

from collections.abc import Iterator

import pytest

from tiktok_hook.background import Background
from tiktok_hook.testing.webhook import TiktokWebhook


@pytest.fixture(scope="session")
def tiktok_webhook_background() -> Iterator[Background]:
    """Where apps run; one event loop for all tests, since an aiohttp app keeps to its first."""
    with Background() as background:
        yield background


@pytest.fixture
def tiktok_webhook(tiktok_webhook_background: Background) -> Iterator[TiktokWebhook]:
    """Posts signed TikTok events at an app: ``tiktok_webhook(app, secret=…, path=…)``."""
    with TiktokWebhook(background=tiktok_webhook_background) as webhook:
        yield webhook
