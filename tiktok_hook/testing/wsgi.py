"""Calls a WSGI application in this process and thread, as a server would.

Source: https://peps.python.org/pep-3333/
"""

import io
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from tiktok_hook.errors import AppError
from tiktok_hook.testing.exchange import HOST, Posted, Response, ResponseHeaders

WsgiApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

ExceptionInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)


def call_wsgi(app: WsgiApp, posted: Posted) -> Response:
    """Post something and wait for the whole answer.

    Raises:
        AppError: It ended without an answer.
        Exception: Whatever it lets out.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []
    parts: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: ExceptionInfo | None = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None and exc_info[1] is not None and parts:
            raise exc_info[1]  # too late for another answer
        started[:] = [(status, headers)]
        return parts.append

    answer = app(_environ(posted), start_response)
    try:
        parts.extend(answer)
    finally:
        if callable(close := getattr(answer, "close", None)):
            close()
    if not started:
        raise AppError("The app ended without an answer.")
    status, headers = started[0]
    return Response(int(status[:3]), ResponseHeaders(headers), b"".join(parts))


def _environ(posted: Posted) -> dict[str, Any]:
    path, _, query = posted.path.partition("?")
    headers = {"host": HOST} | {name.lower(): value for name, value in posted.headers.items()}
    content_type = headers.pop("content-type", "")
    headers.pop("content-length", None)
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return named | {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(posted.body)),
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(posted.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
