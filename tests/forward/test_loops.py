"""Targets that lead back to this listener, under whatever name or address of this machine."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from tiktok_hook.errors import UsageError
from tiktok_hook.forward import parse_target, reject_resolved_loop, sockets
from tiktok_hook.forward.sockets import ANY_ADDRESS

REACHED_BY_ALL = "0.0.0.0"


def own_addresses() -> dict[str, str]:
    """Addresses of this machine that are not loopback ones, by family; none in some sandboxes."""
    found = {}
    for family, elsewhere in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as chosen:
            chosen.connect((elsewhere, 9))
            found[family.name] = str(chosen.getsockname()[0])
    return found


OWN = own_addresses()
IN_NETWORK = pytest.mark.skipif(
    "AF_INET" not in OWN, reason="this machine has loopback addresses only"
)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a name server answers: an address for a name. Other names are unknown.

    It is replaced because no server here knows such names, nor may a test ask one elsewhere.
    """
    known: dict[str, str] = {}
    real: Callable[..., Any] = socket.getaddrinfo

    def lookup(host: str, *given: Any, **named: Any) -> Any:
        if host in known:
            return real(known[host], *given, **named)
        if host.replace(".", "").isdigit() or ":" in host or host == "localhost":
            return real(host, *given, **named)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return known


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ip6-localhost", "::1"),
        ("ip6-loopback", "::1"),
        ("localhost.localdomain", "127.0.0.1"),
        ("127.0.0.1.nip.example", "127.0.0.1"),
        ("laptop.local", "127.0.1.1"),
        ("mapped.example", "::ffff:127.0.0.1"),
    ],
)
@pytest.mark.parametrize("listening", ["127.0.0.1", "::1", REACHED_BY_ALL, "::"])
async def test_a_name_that_is_looked_up_to_a_loopback_address_is_a_loop(
    names: dict[str, str], name: str, address: str, listening: str
) -> None:
    names[name] = address
    for port, words in ((3000, "own receiver"), (4040, "own inspector")):
        with pytest.raises(UsageError, match=words) as caught:
            await reject_resolved_loop(
                [f"http://{name}:{port}/hook"],
                listening=listening,
                receiver_port=3000,
                inspector_port=4040,
            )
        assert f"http://{name}:{port}/hook" in str(caught.value)


@IN_NETWORK
@pytest.mark.parametrize("listening", [REACHED_BY_ALL, "::", ANY_ADDRESS, "itself"])
@pytest.mark.parametrize("spelling", ["{}", "[::ffff:{}]", "laptop.example", "LAPTOP.example."])
async def test_an_address_of_this_machine_in_its_network_is_a_loop(
    names: dict[str, str], spelling: str, listening: str
) -> None:
    own = OWN["AF_INET"]
    names["laptop.example"] = names["laptop.example."] = own
    target = parse_target(f"http://{spelling.format(own)}:3000")
    with pytest.raises(UsageError, match="own receiver"):
        await reject_resolved_loop(
            [target], listening=own if listening == "itself" else listening, receiver_port=3000
        )


@pytest.mark.skipif("AF_INET6" not in OWN, reason="this machine has no IPv6 address")
async def test_an_ipv6_address_of_this_machine_is_a_loop() -> None:
    with pytest.raises(UsageError, match="own receiver"):
        await reject_resolved_loop(
            [f"http://[{OWN['AF_INET6']}]:3000"], listening="::", receiver_port=3000
        )


@pytest.mark.parametrize("listening", ["127.0.0.1", REACHED_BY_ALL])
async def test_other_machines_other_ports_and_unknown_names_pass(
    names: dict[str, str], listening: str
) -> None:
    names["app.example"] = "192.0.2.77"
    await reject_resolved_loop(
        ["http://app.example:3000", "http://unknown.example:3000", "http://localhost:3001"],
        listening=listening,
        receiver_port=3000,
        inspector_port=4040,
    )


@IN_NETWORK
async def test_an_app_on_another_address_of_this_machine_passes() -> None:
    own = OWN["AF_INET"]
    await reject_resolved_loop([f"http://{own}:3000"], listening="127.0.0.1", receiver_port=3000)
    await reject_resolved_loop(["http://127.0.0.1:3000"], listening=own, receiver_port=3000)
    if "AF_INET6" in OWN:
        target = f"http://[{OWN['AF_INET6']}]:3000"
        await reject_resolved_loop([target], listening=REACHED_BY_ALL, receiver_port=3000)


async def test_the_callback_url_with_a_final_dot_is_a_loop() -> None:
    with pytest.raises(UsageError, match="Callback URL"):
        await reject_resolved_loop(
            ["https://me.ngrok.app./hook"], callback_url="https://me.ngrok.app/"
        )


async def test_an_address_with_a_scope_is_looked_up_with_its_scope() -> None:
    """On uvloop, too, whose own look-up drops it: such an address is then never reached."""
    name = socket.if_indextoname(1)

    async def found() -> int:
        ((*_, endpoint),) = await sockets.resolve(f"fe80::1%{name}", 80)
        return int(endpoint[3])

    assert await found() == 1
    assert await asyncio.to_thread(uvloop.run, found()) == 1
