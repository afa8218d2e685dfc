"""Posts signed events at an app: in this process if it can be called, otherwise at its address."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self, overload

from tiktok_hook import signature
from tiktok_hook.background import Background
from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import Json
from tiktok_hook.testing.apps import Call, opened
from tiktok_hook.testing.exchange import Posted, Response
from tiktok_hook.testing.signed_request import SignedRequest, signed, signed_event


class Send:
    """Posts signed deliveries to one path of one app; made by the fixture ``tiktok_webhook``.

    It waits for the answer, in a test with an event loop too: the app does not run in that one. If
    what it talks to does, use ``await asyncio.to_thread(send, body)``.
    """

    def __init__(
        self, call: Call, *, secret: str, path: str, headers: Mapping[str, str], timeout: float
    ) -> None:
        self._call = call
        self._secret = secret
        self._path = path
        self._headers = headers
        self._timeout = timeout

    def __call__(
        self,
        body: bytes,
        *,
        age: float = 0.0,
        bad_signature: bool = False,
        no_signature: bool = False,
    ) -> Response:
        """Post a body, signed now.

        Args:
            body: Exactly the bytes to send.
            age: Seconds since it was signed; negative is in the future.
            bad_signature: Get one digit of the signature wrong.
            no_signature: Leave it out.

        Raises:
            AppError: The app did not answer.
            UsageError: It cannot be signed like that.
            Exception: Whatever an ASGI or WSGI app lets out, for the sake of its traceback.
        """
        return self._post(
            signed(
                body,
                self._secret,
                age=age,
                bad_signature=bad_signature,
                no_signature=no_signature,
            )
        )

    @overload
    def event(
        self,
        name: str,
        /,
        *,
        age: float = 0.0,
        bad_signature: bool = False,
        no_signature: bool = False,
        **changes: Json,
    ) -> Response: ...

    @overload  # for `**{"content.reason": "spam_risk"}`, of which no checker knows the names
    def event(self, name: str, /, **changes: Json) -> Response: ...

    def event(
        self,
        name: str,
        /,
        *,
        age: Any = 0.0,
        bad_signature: Any = False,
        no_signature: Any = False,
        **changes: Any,
    ) -> Response:
        """Post a sample of an event, created and signed now.

        Args:
            name: Of the catalogue: ``post.publish.failed``.
            age: As for a body.
            bad_signature: As for a body.
            no_signature: As for a body.
            changes: Values by their path, ``**{"content.reason": "spam_risk"}``; a path that the
                sample lacks is added with a plus at its end.

        Raises:
            AppError: The app did not answer.
            UsageError: There is no such event or path; the hint has the nearest names.
        """
        return self._post(
            signed_event(
                name,
                self._secret,
                changes,
                age=age,
                bad_signature=bad_signature,
                no_signature=no_signature,
            )
        )

    def _post(self, request: SignedRequest) -> Response:
        given = {name.lower() for name in self._headers}
        headers = {key: value for key, value in request.headers.items() if key.lower() not in given}
        posted = Posted(self._path, {**headers, **self._headers}, request.body)
        return self._call(posted, self._timeout)


class TiktokWebhook:
    """Opens apps for signed events; what the fixture ``tiktok_webhook`` gives.

    A context manager; leaving it shuts down what it opened.

    Args:
        background: Where apps run that need an event loop; None makes one of its own.
    """

    def __init__(self, *, background: Background | None = None) -> None:
        self._stack = ExitStack()
        self._background = background
        self._calls: dict[int, tuple[object, Call]] = {}

    def __enter__(self) -> Self:
        if self._background is None:
            self._background = self._stack.enter_context(Background())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def __call__(
        self,
        app: object,
        *,
        secret: str,
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> Send:
        """Get ready to post at an app.

        Args:
            app: An ASGI or WSGI application, called in this process; an aiohttp application,
                served on the loopback; or where one listens: ``3000``, ``host:port`` or a URL.
                Its start-up is run at first use in a test, its shutdown at the test's end.
            secret: The client secret that it verifies with.
            path: Of its handler, with a query if it has one.
            headers: Set on each request; a ``Host`` too, which is ``testserver`` otherwise.
            timeout: Seconds that an answer may take; a WSGI application has no limit.

        Raises:
            UsageError: It is none of these, the path is none, or the secret cannot be one.
            AppError: It did not start.
        """
        if not path.startswith("/"):
            raise UsageError(f"The path {path!r} does not begin with a slash.")
        signature.checked_secret(secret, where="secret")
        if self._background is None:
            raise RuntimeError("use it as a context manager: with TiktokWebhook() as webhook")
        if id(app) not in self._calls:
            # The app is held, so that no other one can get its id meanwhile.
            self._calls[id(app)] = app, self._stack.enter_context(opened(app, self._background))
        _, call = self._calls[id(app)]
        return Send(call, secret=secret, path=path, headers=headers or {}, timeout=timeout)
