"""The tunnel's life through the stand-in, with the real SDK in its child."""

import time

from tests.ngrok_service import NgrokService
from tests.tunnel.conftest import SECRET, Log, Open, post
from tiktok_hook import signature


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {signature.HEADER: signature.sign(body, secret, timestamp=int(time.time()))}


async def test_a_request_to_the_url_reaches_the_app(open_quick: Open) -> None:
    async with open_quick() as tunnel:
        answer = await post(tunnel.url + "/hook", b"a body", **signed(b"a body"))
    assert (answer.status, answer.body, answer.headers["App"]) == (200, b"a body", "yes")


async def test_states_are_told_in_order_with_the_url(open_quick: Open, log: Log) -> None:
    async with open_quick() as tunnel:
        assert tunnel.state.state == "online"
        assert tunnel.state.url == tunnel.url
    assert log.words == ["online", "closed"]


async def test_a_plain_cut_is_healed_with_the_same_url(
    open_quick: Open, service: NgrokService, log: Log
) -> None:
    async with open_quick() as tunnel:
        url = tunnel.url
        for times in range(2, 12):
            service.cut()
            state = await log.online(times, within=10)
            assert state.url == url
            assert state.outage_seconds is not None
            assert (await post(url)).status == 200
            assert len(service.online) == 1
    assert log.words == ["online", *["reconnecting", "online"] * 10, "closed"]
