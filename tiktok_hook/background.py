"""An event loop in a thread, where apps run while a test waits, whether or not it has its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

T = TypeVar("T")
Arguments = ParamSpec("Arguments")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end, also where an event loop is running: in a notebook, for one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(asyncio.run, work).result()


def blocking(
    function: Callable[Arguments, Coroutine[Any, Any, T]],
) -> Callable[Arguments, T]:
    """The same function for programs without an event loop: it returns when it is done."""

    @wraps(function)
    def call(*positional: Arguments.args, **named: Arguments.kwargs) -> T:
        return run(function(*positional, **named))

    return call


class Background:
    """An event loop in a thread of its own, which starts when it is first needed.

    A context manager; leaving it cancels what still runs there and ends the thread.

    Invariants: `_starting` guards `_thread`, so one thread at most is started, by any caller;
    `_loop` is set before `_submit` returns to the first of them. Everything else is touched on
    that loop only: other threads reach it by `call_soon_threadsafe` and
    `run_coroutine_threadsafe`. The events may be
    made on any thread; they are set and awaited on the loop only.
    """

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something over there, and wait for it here."""
        running = self._submit(work)
        try:
            return running.result()
        except BaseException:
            running.cancel()  # Ctrl-C came, or a test's own deadline
            raise

    @contextmanager
    def entered(self, resource: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Keep something open over there until the block ends; one task enters and leaves it."""
        ready: Future[T] = Future()
        leave = asyncio.Event()

        async def hold() -> None:
            async with resource as value:
                ready.set_result(value)
                await leave.wait()

        holding = self._submit(hold())
        either: tuple[Future[Any], ...] = (ready, holding)
        wait(either, return_when=FIRST_COMPLETED)
        if not ready.done():
            holding.result()  # raises what kept it from opening
        try:
            yield ready.result()
        finally:
            self._loop.call_soon_threadsafe(leave.set)
            holding.result()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._stop.is_set():
            work.close()
            raise RuntimeError("the block that this belongs to has ended")
        with self._starting:
            if self._thread is None:
                self._start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _start(self) -> None:
        started = threading.Event()

        async def live() -> None:
            self._loop = asyncio.get_running_loop()
            started.set()
            await self._stop.wait()

        self._thread = threading.Thread(
            target=lambda: asyncio.run(live()), name="tiktok-webhook", daemon=True
        )
        self._thread.start()
        started.wait()
