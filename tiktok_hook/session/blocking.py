"""`listening`: a session for programs without an event loop."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from datetime import timedelta
from typing import ParamSpec

from tiktok_hook.background import Background
from tiktok_hook.delivery import Delivery, Summary
from tiktok_hook.session.lifecycle import listen
from tiktok_hook.session.state import WAIT_SECONDS, Session

Arguments = ParamSpec("Arguments")


class BlockingSession:
    """A running session whose event loop runs in a thread.

    Its methods may be called from any thread and block until they have their result.
    """

    def __init__(self, session: Session, background: Background) -> None:
        self._session = session
        self._background = background

    def __repr__(self) -> str:
        return f"<tiktok_hook.BlockingSession {self.callback_url}>"

    @property
    def callback_url(self) -> str:
        """The public HTTPS URL to paste into TikTok's developer portal."""
        return self._session.callback_url

    @property
    def local_url(self) -> str:
        """The local URL of the receiver, including the path."""
        return self._session.local_url

    @property
    def inspector_url(self) -> str | None:
        """The URL of the inspector, including the token; None without an inspector."""
        return self._session.inspector_url

    def wait_for(
        self, where: str | None = None, timeout: float | timedelta | None = WAIT_SECONDS
    ) -> Delivery:
        """Wait for a matching delivery; see `Session.wait_for`.

        Raises:
            TimeoutError: None arrived in time.
            UsageError: The filter cannot be read.
        """
        return self._background.run(self._session.wait_for(where, timeout))

    def __iter__(self) -> Iterator[Delivery]:
        """Every delivery since the session began, each when it is answered."""
        deliveries = aiter(self._session)

        async def step() -> Delivery | None:
            return await anext(deliveries, None)

        while (delivery := self._background.run(step())) is not None:
            yield delivery

    def summary(self) -> Summary:
        """The counts so far."""

        async def summary() -> Summary:
            return self._session.summary()

        return self._background.run(summary())


def _blocking(
    opens: Callable[Arguments, AbstractAsyncContextManager[Session]],
) -> Callable[Arguments, AbstractContextManager[BlockingSession]]:
    """Make a blocking context manager with the same arguments from an asynchronous one."""

    @contextmanager
    def function(
        *positional: Arguments.args, **named: Arguments.kwargs
    ) -> Iterator[BlockingSession]:
        """Run a receiver and its tunnel until the block ends, in a program without an event loop.

        ``with tiktok_hook.listening(secret=…, forward_to="3000") as session:``

        For scripts, Flask, Django and notebooks. It takes the arguments of `listen` and runs in a
        thread. An error that ends the session early is raised at the end of the block.

        Raises:
            HookError: See `listen`.
        """
        resource = opens(*positional, **named)
        with Background() as background, background.entered(resource) as session:
            yield BlockingSession(session, background)

    vars(function)["__signature__"] = inspect.signature(opens)
    return function


listening = _blocking(listen)
