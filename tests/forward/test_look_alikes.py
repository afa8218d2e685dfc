"""Header names that a CGI or WSGI server would read as a framing or signature header."""

import http.server
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from werkzeug.serving import WSGIRequestHandler as WerkzeugHandler
from werkzeug.serving import make_server

from tests.apps import running_app
from tiktok_hook.delivery import Delivery, Headers
from tiktok_hook.errors import UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest, build, parse_header
from tiktok_hook.signature import HEADER, sign

BODY = b'{"event":"post.publish.complete"}'
RIGHT = sign(BODY, "example-secret", timestamp=1756684801)

LOOK_ALIKES = (
    "Transfer_Encoding",
    "TRANSFER_ENCODING",
    "transfer.encoding",
    "Content_Length",
    "content~length",
    "Content_Type",
    "Tiktok_Signature",
    "tiktok_signature",
    "TIKTOK.SIGNATURE",
    "Tiktok!Signature",
    "Tiktok'Signature",
    "Proxy_Connection",
    "Keep_Alive",
    "Tiktok_Hook_Forwarded",
    "Tiktok_Hook_Source",
    "X_Forwarded_For",
    "x_forwarded_proto",
    "X_Real_IP",
)


def delivery(*names: str) -> Delivery:
    headers: Headers = (
        ("Content-Type", "application/json"),
        (HEADER, RIGHT),
        ("X_Harmless", "kept"),
        *((name, "evil") for name in names),
    )
    return Delivery(received_at=1.0, path="/", headers=headers, body=BODY)


@pytest.mark.parametrize(
    "name", [*LOOK_ALIKES, "Tiktok-Signature ", " Tiktok-Signature", "Content-Length\t"]
)
def test_a_look_alike_of_a_protected_header_is_not_forwarded(name: str) -> None:
    request = build(delivery(name), "http://app")
    assert name not in [sent for sent, _ in request.headers]
    assert (HEADER, RIGHT) in request.headers
    assert ("X_Harmless", "kept") in request.headers


@pytest.mark.parametrize("name", ["X-Tiktok-Signature", "Tiktok_Signature_2", "X_Host", "_", "."])
def test_a_name_that_is_read_as_itself_is_forwarded(name: str) -> None:
    assert (name, "evil") in build(delivery(name), "http://app").headers


@pytest.mark.parametrize("name", ["Proxy", "PROXY", "proxy"])
def test_no_header_sets_the_proxy_of_a_cgi_program(name: str) -> None:
    assert name not in [sent for sent, _ in build(delivery(name), "http://app").headers]


@pytest.mark.parametrize("text", ["Content_Length: 5", "transfer.encoding: chunked"])
def test_a_look_alike_of_a_framing_header_cannot_be_set(text: str) -> None:
    with pytest.raises(UsageError, match="belongs to the connection"):
        parse_header(text)


def show(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """A WSGI application that answers with what its server made of the headers."""
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    known = {key: value for key, value in environ.items() if isinstance(value, str)}
    body = json.dumps(known).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class QuietWsgi(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its own name


class QuietWerkzeug(WerkzeugHandler):
    def log(self, type: str, message: str, *args: object) -> None: ...  # noqa: A002 - its own name


@contextmanager
def served(server: Any) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wsgiref_server(_folder: Path) -> Any:
    server = WSGIServer(("127.0.0.1", 0), QuietWsgi)
    server.set_app(show)
    return server


def werkzeug_server(_folder: Path) -> Any:
    return make_server("127.0.0.1", 0, show, request_handler=QuietWerkzeug)


def cgi_server(folder: Path) -> Any:
    """Python's own CGI server, with a script that prints its environment."""
    handler: Any = getattr(http.server, "CGIHTTPRequestHandler", None)
    if handler is None:
        pytest.skip("Python 3.15 and newer have no CGI server")
    script = folder / "cgi-bin" / "show.py"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\nimport json, os\nprint('Content-Type: text/plain\\n')\n"
        "print(json.dumps(dict(os.environ)))\n"
    )
    script.chmod(0o755)

    class Cgi(handler):  # type: ignore[misc]  # its class is looked up at run time
        have_fork = False  # as root it would change to a user who cannot read the folder

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, directory=str(folder), **more)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its own name

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cgi)


@pytest.mark.filterwarnings("ignore:'http.server.CGIHTTPRequestHandler' is deprecated")
@pytest.mark.parametrize(
    "make", [wsgiref_server, werkzeug_server, cgi_server], ids=["wsgiref", "werkzeug", "cgi"]
)
async def test_a_real_server_sees_only_the_true_headers(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = "cgi-bin/show.py" if make is cgi_server else ""
    with served(make(tmp_path)) as url:
        request = build(delivery(*LOOK_ALIKES), url + path)
        async with Forwarder() as forwarder:
            reply = await forwarder.send(request, timeout=30)
    assert reply.status == 200, reply
    seen = json.loads(reply.body)
    assert seen["CONTENT_LENGTH"] == str(len(BODY))
    assert seen["CONTENT_TYPE"] == "application/json"
    assert not [key for key, value in seen.items() if "evil" in value]
    if make is not cgi_server:  # which passes on a short list of headers only
        assert seen["HTTP_TIKTOK_SIGNATURE"] == RIGHT


@pytest.mark.parametrize("method", ["TRACE", "trace", "CONNECT"])
async def test_trace_and_connect_are_not_forwarded(method: str) -> None:
    async with running_app() as app, Forwarder() as forwarder:
        reply = await forwarder.send(ForwardRequest(method, app.url))
    assert (reply.status, reply.error) == (None, "method")
    assert method in reply.detail
    assert not app.requests
