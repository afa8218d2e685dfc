"""Handlers of the signals that end a session."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def signals(interrupt: Callable[..., None]) -> Iterator[None]:
    r"""Call `interrupt` with the signal number for each SIGINT, SIGTERM, SIGHUP or SIGQUIT.

    ``again`` is true from the second Ctrl-C on, and for SIGQUIT (Ctrl-\), which quits immediately.
    """
    loop = asyncio.get_running_loop()
    interrupts = 0
    quits = getattr(signal, "SIGQUIT", None)

    def received(number: int) -> None:
        nonlocal interrupts
        interrupts += number == signal.SIGINT
        interrupt(number, again=interrupts > 1 or number == quits)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    numbers: list[int] = [getattr(signal, name) for name in names if hasattr(signal, name)]
    previous: dict[int, Any] = {}
    for number in numbers:
        try:
            loop.add_signal_handler(number, received, number)
        except NotImplementedError:  # Windows: the loop does not support signal handlers
            previous[number] = signal.signal(
                number, lambda number, _: loop.call_soon_threadsafe(received, number)
            )
    try:
        yield
    finally:
        for number in numbers:
            if number in previous:
                signal.signal(number, previous[number])
            else:
                loop.remove_signal_handler(number)
