"""The options of forwarding."""

from datetime import timedelta

import pytest

from tests.apps import free_port
from tests.relay.samples import Opener, Published, delivery, eventually
from tiktok_hook.delivery import Notice
from tiktok_hook.errors import UsageError
from tiktok_hook.moments import Duration
from tiktok_hook.relay.options import RelayOptions


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90m", 5400), ("1.5", 1.5), (60, 60), (timedelta(hours=2), 7200), (None, 72 * 3600)],
    ids=repr,
)
def test_how_long_to_retry_is_a_duration(given: Duration | None, seconds: float) -> None:
    options = RelayOptions() if given is None else RelayOptions(retry_for=given)
    assert options.retry_seconds == seconds


@pytest.mark.parametrize("given", ["later", "", "0", "-1", "nan", 0])
def test_an_invalid_duration_is_a_usage_error(given: Duration) -> None:
    with pytest.raises(UsageError, match="--retry-for") as caught:
        RelayOptions(retry_for=given).check_relay()
    assert "90m" in caught.value.hint


async def test_a_delivery_is_given_up_after_that_time(
    relaying: Opener, published: Published
) -> None:
    target = f"http://127.0.0.1:{free_port()}"
    async with relaying(target, ack="first", retry_for="0.2") as relay:
        await relay.handle(delivery())
        await eventually(lambda: relay.waiting == 0)
        (notice,) = await published.until(Notice)
    assert "did not accept it within 0.2 s" in notice.message
