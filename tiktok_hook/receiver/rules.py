"""What a request is, and what it is answered."""

import asyncio
import hmac
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from tiktok_hook import signature
from tiktok_hook.delivery import (
    FORWARDED_HEADER,
    SELF_CHECK_BODY,
    SELF_CHECK_HEADER,
    SELF_CHECKED_BY_ANOTHER,
    SOURCE_HEADER,
    Delivery,
    NonWebhookRequest,
    Source,
    without_own_cookies,
)
from tiktok_hook.errors import StoreError
from tiktok_hook.receiver.answer import NOT_ALLOWED, OK, Answer, Request, busy, error
from tiktok_hook.signature import State, Verdict

Handle = Callable[[Delivery], Awaitable[Answer]]
"""Stores an accepted delivery, forwards it, and returns what TikTok is answered."""

Reject = Callable[[Delivery, int], Awaitable[Answer]]
"""Stores a rejected delivery, which is answered this status whatever comes back."""

Send = Callable[[Answer], None]

Work = Coroutine[Any, Any, None]
"""What answers a request later and needs a task for it."""

MAX_SHOWN_CHARS = 500
MAX_FILE_BYTES = 1 << 20
MAX_EXPLAINED_BYTES = 64 * 1024
EXPLAINED_PER_SECOND = 20
"""Diagnosing costs a hundred signature checks; a flood of forgeries gets the bare verdict."""

_FRIENDLY = Answer(200, b'{"ok":true,"message":"tiktok-hook is listening, POST here"}')
_FRIENDLY_PAGE = Answer(
    200,
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>tiktok-hook</title>'
    b"<p>tiktok-hook is listening. POST here.</p></html>\n",
    "text/html; charset=utf-8",
)
_LOOP = error(508, "this request was forwarded by tiktok-hook itself")
_FORGED = error(403, "signature refused")
_UNSTORED = busy("cannot be stored now")
_BUG = error(500, "internal error")
_NO_FILE = error(404, "not here")

_SOURCE = SOURCE_HEADER.lower()
_FORWARDED = FORWARDED_HEADER.lower()
_SELF_CHECK = SELF_CHECK_HEADER.lower()
_SIGNATURE = signature.HEADER.lower()
_WATCHED = {_SOURCE, _FORWARDED, _SELF_CHECK, _SIGNATURE, "x-forwarded-for"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may take of this machine.

    Attributes:
        connections: At once; ngrok's SDK drops its whole session at 513 streams.
        in_flight: Requests being handled at once.
        bodies_bytes: Of all bodies that are being received or handled, together.
        head_bytes: Of one request's line and headers.
        request_seconds: For one whole request, from its first byte, and for taking its answer.
        unused_seconds: Until a connection that never sent anything is closed.
        idle_seconds: Until one that did is closed.
        linger_seconds: How long what still comes is thrown away after a refusal, so that the
            client can read why.
    """

    connections: int = 256
    in_flight: int = 256
    bodies_bytes: int = 64 << 20
    head_bytes: int = 64 << 10
    request_seconds: float = 10.0
    unused_seconds: float = 10.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0


class Receiver:
    """Takes requests, judges them, and has deliveries handled.

    Args:
        handle: Called with every accepted delivery. A `StoreError` is answered 503, so that
            TikTok sends it again.
        reject: Called with every delivery that is not accepted, and the status it is answered. A
            `StoreError` is answered 503 here too.
        secrets: Client secrets to check against, in order; none: nothing is checked.
        tolerance: Seconds beyond which a right signature is refused too; None accepts any age.
        max_body_bytes: Longer bodies are answered 413 and not read on.
        serve_file: Answered to GET ``/<its name>``, also below `path`; read at each request.
        path: The Callback URL's path. Every path is received all the same.
        on_probe: Called with every request that is not a delivery.
        answered: Called once a delivery's answer is on its way, with what `handle` was given.
        on_unstored: Called with the reason of a 503; once for each, so count, don't print.
        on_bug: Called with whatever else was raised; the request was answered 500.
        self_check_token: Of the session's own check; empty turns it off.
        pass_through: Answers what is not a POST; None answers it here.
        limits: Of connections and seconds.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        handle: Handle,
        reject: Reject,
        secrets: Sequence[str] = (),
        tolerance: float | None = None,
        max_body_bytes: int = 1 << 20,
        serve_file: Path | None = None,
        path: str = "/",
        on_probe: Callable[[NonWebhookRequest], None] | None = None,
        answered: Callable[[Delivery, Answer], None] | None = None,
        on_unstored: Callable[[StoreError], None] | None = None,
        on_bug: Callable[[Exception], None] | None = None,
        self_check_token: str = "",
        pass_through: Callable[[Request], Awaitable[Answer]] | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self.limits = limits or Limits()
        self._handle = handle
        self._reject = reject
        self._secrets = tuple(secrets)
        self._tolerance = tolerance
        self._file = serve_file
        self._file_paths = set()
        if serve_file is not None:
            self._file_paths = {f"/{serve_file.name}", f"{path.rstrip('/')}/{serve_file.name}"}
        self._on_probe = on_probe
        self._answered = answered
        self._on_unstored = on_unstored
        self._on_bug = on_bug
        self._token = self_check_token.encode()
        self._pass_through = pass_through
        self._clock = clock
        self._explaining = float(EXPLAINED_PER_SECOND)
        self._explained_at = 0.0

    @asynccontextmanager
    async def serving(
        self, sockets: Sequence[socket.socket], *, drain_seconds: float = 5.0
    ) -> AsyncIterator[None]:
        """Serve on bound sockets until the block ends.

        On the way out nothing new is taken in, what is being answered gets `drain_seconds`, and
        then every connection is closed. The sockets are closed too. What the block raises comes
        out in a group, as from every `asyncio.TaskGroup`.
        """
        from tiktok_hook.receiver.server import Server  # brings aiohttp: 250 ms

        async with Server(self, self.limits).running(sockets, drain_seconds=drain_seconds):
            yield

    def respond(self, request: Request, send: Send) -> Work | None:
        """Answer a request through `send`: at once, later, or by what is returned."""
        watched = _watched(request)
        if request.method == "POST":
            checked = self._self_checked(watched.get(_SELF_CHECK), request.body)
            if checked is not None:
                send(Answer(200, checked))
                return None
            if _FORWARDED not in watched:
                return self._deliver(request, watched, send)
        if _FORWARDED in watched:
            send(_LOOP)
            self.probe(request.method, request.target, 508, "came back from the app: a loop")
            return None
        if self._file is not None and _path(request) in self._file_paths:
            return self._show_file(self._file, request, send)
        if self._pass_through is not None:
            return self._pass(self._pass_through, request, send)
        answer = _plain_answer(request)
        send(answer)
        self.probe(request.method, request.target, answer.status)
        return None

    def probe(self, method: str, target: str, status: int, reason: str = "") -> None:
        """Tell of a request that is not a delivery."""
        path = target.partition("?")[0][:MAX_SHOWN_CHARS]
        self._tell(self._on_probe, NonWebhookRequest(method, path, status, self._clock(), reason))

    def bug(self, bug: Exception) -> None:
        """Tell of something that must not happen."""
        self._tell(self._on_bug, bug)

    def _self_checked(self, given: str | None, body: bytes) -> bytes | None:
        """What a self-check is answered, this session's or another's; None when it is none.

        Listeners that pool their URL get each other's. With a token that is not ours only the one
        body that a self-check has goes by unstored, so that nobody can hide anything that way.
        """
        if given is None:
            return None
        if self._token and hmac.compare_digest(given.encode("latin-1"), self._token):
            return b'{"ok":true,"self_check":"%s"}' % self._token
        return SELF_CHECKED_BY_ANOTHER if body == SELF_CHECK_BODY else None

    def _judge(
        self, request: Request, watched: dict[str, str]
    ) -> tuple[Delivery, Literal[200, 403] | None]:
        """The delivery that a POST is, and the status that a rejected one is answered."""
        now = self._clock()
        path, _, query = request.target.partition("?")
        verdict = self._check(request, watched.get(_SIGNATURE), now)
        refused = verdict.refused or (verdict.state is State.STALE and self._tolerance is not None)
        delivery = Delivery(
            received_at=now,
            source=Source.TRIGGER if watched.get(_SOURCE) == "trigger" else Source.TIKTOK,
            remote_addr=_remote(request.peer, watched),
            method=request.method,
            path=path,
            query=query,
            http_version=request.http_version,
            headers=without_own_cookies(request.headers),
            body=request.body,
            verdict=verdict,
        )
        if not refused:
            return delivery, None
        if b"tiktok.ping" in request.body:
            event = delivery.event
            if event is not None and event.name == "tiktok.ping":
                return delivery, 200
        return delivery, 403

    def _check(self, request: Request, header: str | None, now: float) -> Verdict:
        tolerance = 300.0 if self._tolerance is None else self._tolerance
        body = request.body
        verdict = signature.check(header, body, self._secrets, now=now, tolerance=tolerance)
        if verdict.refused and len(body) <= MAX_EXPLAINED_BYTES and self._may_explain(now):
            return signature.explain(
                verdict, header, body, self._secrets, now=now, headers=request.headers
            )
        return verdict

    def _may_explain(self, now: float) -> bool:
        passed = max(0.0, now - self._explained_at)
        self._explained_at = now
        budget = self._explaining + passed * EXPLAINED_PER_SECOND
        self._explaining = min(budget, float(EXPLAINED_PER_SECOND))
        if self._explaining < 1:
            return False
        self._explaining -= 1
        return True

    def _deliver(self, request: Request, watched: dict[str, str], send: Send) -> Work | None:
        try:
            delivery, status = self._judge(request, watched)
            handled = self._handle(delivery) if status is None else self._reject(delivery, status)
        except Exception as bug:  # noqa: BLE001 - one bad request must not end the receiver
            self._failed(bug, send)
            return None
        if not isinstance(handled, asyncio.Future):
            return self._finish_later(delivery, status, handled, send)
        # A task for each would take as long as all the rest of its handling.
        handled.add_done_callback(partial(self._finish, delivery, status, send))
        return None

    async def _finish_later(
        self, delivery: Delivery, status: int | None, handled: Awaitable[Answer], send: Send
    ) -> None:
        try:
            answer = await handled
        except Exception as error:  # noqa: BLE001 - one bad request must not end the receiver
            self._failed(error, send)
        else:
            self._handled(delivery, status, answer, send)

    def _finish(
        self, delivery: Delivery, status: int | None, send: Send, handled: asyncio.Future[Answer]
    ) -> None:
        try:
            answer = handled.result()
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - one bad request must not end the receiver
            self._failed(error, send)
        else:
            self._handled(delivery, status, answer, send)

    def _handled(self, delivery: Delivery, status: int | None, answer: Answer, send: Send) -> None:
        if status is not None:
            answer = OK if status == 200 else _FORGED
        send(answer)
        if self._answered is not None:
            try:
                self._answered(delivery, answer)
            except Exception as bug:  # noqa: BLE001 - the delivery is stored and answered
                self.bug(bug)

    def _failed(self, error: Exception, send: Send) -> None:
        if isinstance(error, StoreError):
            send(_UNSTORED)
            self._tell(self._on_unstored, error)
        else:
            send(_BUG)
            self.bug(error)

    async def _pass(
        self, through: Callable[[Request], Awaitable[Answer]], request: Request, send: Send
    ) -> None:
        try:
            answer = await through(request)
        except Exception as bug:  # noqa: BLE001 - one bad request must not end the receiver
            send(_BUG)
            self.bug(bug)
            return
        send(answer)
        reason = f"passed to the app: {answer.note}" if answer.note else "passed to the app"
        self.probe(request.method, request.target, answer.status, reason)

    async def _show_file(self, file: Path, request: Request, send: Send) -> None:
        if request.method not in {"GET", "HEAD"}:
            answer, reason = NOT_ALLOWED, ""
        else:
            try:
                body = await asyncio.to_thread(_read, file)
            except OSError as failed:
                answer, reason = _NO_FILE, f"cannot read {file}: {failed.strerror or failed}"
            else:
                answer, reason = Answer(200, body, _content_type(file)), "the file"
        send(answer)
        self.probe(request.method, request.target, answer.status, reason)

    def _tell(self, callback: Callable[[Any], None] | None, value: object) -> None:
        """Call back; what a callback raises is a bug to report, never a reason to stop."""
        if callback is None:
            return
        try:
            callback(value)
        except Exception as bug:
            if callback is self._on_bug or self._on_bug is None:
                raise
            self._on_bug(bug)


def _watched(request: Request) -> dict[str, str]:
    """The headers that decide something, by lower-case name; repeated ones joined by a comma."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key in _WATCHED:
            found[key] = f"{found[key]},{value}" if key in found else value
    return found


def _remote(peer: str, watched: dict[str, str]) -> str:
    forwarded = watched.get("x-forwarded-for")
    if forwarded is None or not (peer == "::1" or peer.startswith(("127.", "::ffff:127."))):
        return peer
    return forwarded.rpartition(",")[2].strip()[:64] or peer


def _path(request: Request) -> str:
    return unquote(request.target.partition("?")[0])


def _plain_answer(request: Request) -> Answer:
    if request.method not in {"GET", "HEAD"}:
        return NOT_ALLOWED
    accepts = any(
        name.lower() == "accept" and "text/html" in value.lower() for name, value in request.headers
    )
    return _FRIENDLY_PAGE if accepts else _FRIENDLY


def _read(file: Path) -> bytes:
    if not file.is_file() and file.exists():
        raise OSError("it is no regular file")  # opening a named pipe would wait
    with file.open("rb") as opened:
        body = opened.read(MAX_FILE_BYTES + 1)
    if len(body) > MAX_FILE_BYTES:
        raise OSError(f"longer than {MAX_FILE_BYTES} bytes")
    return body


def _content_type(file: Path) -> str:
    return {".txt": "text/plain; charset=utf-8", ".html": "text/html; charset=utf-8"}.get(
        file.suffix.lower(), "application/octet-stream"
    )
