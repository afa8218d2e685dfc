"""Ports: found, named, taken."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tiktok_hook import ports
from tiktok_hook.errors import ListenError


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def port_of(stack: ExitStack, sockets: list[socket.socket]) -> int:
    for each in sockets:
        stack.enter_context(closing(each))
    port: int = sockets[0].getsockname()[1]
    return port


def taken(stack: ExitStack, host: str = "127.0.0.1") -> int:
    """A port on which another program listens, at this address only."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    other = stack.enter_context(closing(socket.socket(family)))
    try:
        if family is socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind((host, 0))
    except OSError:
        pytest.skip(f"no {host} on this machine")
    other.listen()
    port: int = other.getsockname()[1]
    return port


def free() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_free_preferred_port_is_taken(stack: ExitStack) -> None:
    preferred = free()
    sockets = ports.bind(None, preferred=preferred)
    assert port_of(stack, sockets) == preferred
    assert sockets[0].getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_preferred_port_on_which_another_program_answers_is_not_used(
    host: str, stack: ExitStack
) -> None:
    preferred = taken(stack, host)
    assert port_of(stack, ports.bind(None, preferred=preferred)) != preferred


def test_a_preferred_port_that_belongs_to_an_app_is_left_alone(stack: ExitStack) -> None:
    preferred = free()
    assert port_of(stack, ports.bind(None, preferred=preferred, avoid=[preferred])) != preferred


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_named_port_in_use_is_an_error_with_the_flag_and_a_free_one(
    host: str, stack: ExitStack
) -> None:
    port = taken(stack, host)
    with pytest.raises(ListenError) as raised:
        ports.bind(port, preferred=1, flag="--inspect-port")
    shown = f"[{host}]" if ":" in host else host
    assert f"--inspect-port {port} is in use" in str(raised.value)
    assert f"{shown}:{port}" in str(raised.value)
    _, _, free_one = raised.value.hint.partition("--inspect-port ")
    assert port_of(stack, ports.bind(int(free_one), preferred=1)) == int(free_one)


def test_a_named_port_bound_but_silent_is_in_use_too(stack: ExitStack) -> None:
    other = stack.enter_context(closing(socket.socket()))
    other.bind(("127.0.0.1", 0))
    port = other.getsockname()[1]
    with pytest.raises(ListenError, match=f"--port {port} is in use"):
        ports.bind(port, preferred=1)


def test_zero_takes_any_free_port(stack: ExitStack) -> None:
    first, second = (port_of(stack, ports.bind(0, preferred=1)) for _ in range(2))
    assert first != second


def test_a_port_just_left_by_a_listener_can_be_taken_again(stack: ExitStack) -> None:
    (sock,) = ports.bind(0, preferred=1)
    port = sock.getsockname()[1]
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        accepted, _ = stack.enter_context(ExitStack()), client
        del accepted
        sock.setblocking(True)  # noqa: FBT003 - the name of the method says what
        connection, _ = sock.accept()
        connection.close()
    sock.close()
    assert port_of(stack, ports.bind(port, preferred=1)) == port


def test_other_programs_cannot_take_a_port_that_is_bound(stack: ExitStack) -> None:
    port = port_of(stack, ports.bind(0, preferred=1))
    with pytest.raises(ListenError, match="is in use"):
        ports.bind(port, preferred=1)


@pytest.mark.parametrize("port", [65536, -1])
def test_an_invalid_port_is_an_error(port: int) -> None:
    with pytest.raises(ListenError, match=f"--port {port} is not a port"):
        ports.bind(port, preferred=1)


@pytest.mark.parametrize("port", [None, 0, 50_123])
def test_an_address_of_another_machine_is_an_error(port: int | None) -> None:
    with pytest.raises(ListenError, match=r"Cannot listen on 203\.0\.113\.1"):
        ports.bind(port, host="203.0.113.1", preferred=50_124)
