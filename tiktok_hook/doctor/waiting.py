"""Blocking calls with a way out: a name server that is silent must not hold up the end."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

NAME_SECONDS = 5.0


class UnresolvedError(Exception):
    """A name without an address; its text is the reason, in a few words."""


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread of its own, and do not wait for it after a cancellation.

    `asyncio.to_thread` would have the loop wait for it at its end, for minutes.

    Invariant: only the event loop touches `ended`. The thread passes its result by
    `call_soon_threadsafe` and never looks whether anything still waits for it.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is not None:
            ended.set_exception(error)
        else:
            ended.set_result(result)  # type: ignore[arg-type] # without an error there is a result

    def work() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nothing waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="doctor", daemon=True).start()
    return await ended


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, IPv4 first.

    Raises:
        UnresolvedError: There are none, or no name server answered within 5 s.
    """
    try:
        async with asyncio.timeout(NAME_SECONDS):
            found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError as error:
        words = f"no name server answered for {host} within {NAME_SECONDS:.0f} s"
        raise UnresolvedError(words) from error
    except (socket.gaierror, UnicodeError) as error:
        raise UnresolvedError(f"no address is known for {host}") from error
    addresses = dict.fromkeys(str(each[4][0]) for each in found)
    return sorted(addresses, key=lambda each: ":" in each)
