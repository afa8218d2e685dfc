"""The reason in an app's response body, for the usual frameworks."""
# ruff: noqa: E501 - pages are quoted as frameworks write them

import gzip
import zlib
from collections.abc import Callable

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

from tiktok_hook.app_body import MAX_DECODED_BYTES, decoded, reason

TEXT = b'{"error":"no such publish_id"}'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity, gzip", gzip.compress),
        ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
    ],
    ids=["gzip", "x-gzip", "case", "zlib", "raw-deflate", "identity", "two"],
)
def test_a_compressed_body_is_decoded(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert decoded([("content-ENCODING", coding)], pack(TEXT)) == TEXT


def test_brotli_is_decoded_where_its_package_is_installed() -> None:
    brotli = pytest.importorskip("brotli", reason="brotli is optional")
    assert decoded([("Content-Encoding", "br")], brotli.compress(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("coding", "body"),
    [(None, TEXT), ("identity", TEXT), ("gzip", TEXT), ("lzw", TEXT), ("gzip", b""), ("br", TEXT)],
    ids=["no-coding", "identity", "not-gzip", "unknown", "empty", "not-brotli"],
)
def test_what_cannot_be_decoded_is_none(coding: str | None, body: bytes) -> None:
    assert decoded([] if coding is None else [("Content-Encoding", coding)], body) is None


def test_a_cut_body_gives_what_can_be_read_of_it() -> None:
    packed = gzip.compress(bytes(range(256)) * 100, compresslevel=0)
    assert decoded([("Content-Encoding", "gzip")], packed[:1000]) is not None


def test_a_bomb_is_cut() -> None:
    packed = gzip.compress(bytes(100 << 20))
    assert decoded([("Content-Encoding", "gzip")], packed) == bytes(MAX_DECODED_BYTES)


LATIN = "<html><title>Schlüssel fehlt</title>"


@pytest.mark.parametrize(
    ("content_type", "encoding", "text"),
    [
        ("text/html; charset=iso-8859-1", "latin-1", LATIN),
        ('text/plain;Charset="Windows-1251"', "cp1251", "Нет ключа"),
        ("text/plain; charset=Shift_JIS", "shift_jis", "秘密鍵がありません"),
        ("text/plain; charset=iso-2022-jp", "iso2022_jp", "秘密鍵がありません"),
        ("text/plain; charset=utf-16", "utf-16", "größer"),
        ("text/plain; charset=utf-16le", "utf-16le", "größer"),
        ("text/plain", "utf-16", "größer"),
        ("text/html", "cp1251", '<meta http-equiv=x content="text/html; charset=cp1251">Ключ'),
        ("text/html", "latin-1", '<meta charset="iso-8859-1">Schlüssel'),
    ],
)
def test_a_body_in_another_charset_is_read(content_type: str, encoding: str, text: str) -> None:
    body = text.encode(encoding)
    plain = decoded([("content-type", content_type)], body)
    assert plain is not None
    assert plain.decode() == text
    packed = gzip.compress(body)
    headers = [("Content-Type", content_type), ("Content-Encoding", "gzip")]
    assert decoded(headers, packed) == plain


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=iso-8859-1", "\x1b[31mSchlüssel".encode()),
        ("text/plain; charset=utf-16", "Schlüssel".encode()),
        ("text/plain; charset=idna", b"\xff"),
        ("text/plain; charset=unicode_escape", b"\\x41\xff"),
        ("text/plain; charset=hex", b"41\xff"),
        ("text/plain; charset=cp99999", b"\xff"),
        ("text/plain; charset=utf-8", b"\xff"),
        ("text/plain", b"\xff"),
    ],
)
def test_a_wrong_charset_changes_nothing(content_type: str, body: bytes) -> None:
    assert decoded([("Content-Type", content_type)], body) is None


def test_no_character_is_cut_in_two() -> None:
    body = b"x" + "ü".encode() * MAX_DECODED_BYTES
    for headers, cut in (
        ([("Content-Encoding", "gzip")], gzip.compress(body)),
        ([], body[:MAX_DECODED_BYTES]),
    ):
        plain = decoded(headers, cut)
        assert plain is not None
        assert plain.decode() == "x" + "ü" * (MAX_DECODED_BYTES // 2 - 1)


PAGES = {
    "django-debug": (
        "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>RuntimeError\n at /hook</title>"
        "<style>"
        + "html * { padding:0; }\n"
        * 100
        + "</style><script>var x = '<p>no</p>';</script>"
        "</head><body><div id=summary><h1>RuntimeError\n <small>at /hook</small></h1>"
        '<pre class="exception_value">You called this URL via POST, but the URL doesn&#x27;t end in a '
        "slash and you have APPEND_SLASH set.</pre><table class=meta><tr><th>Request Method:</th>"
        "<td>POST</td></tr></table></div></body></html>",
        "RuntimeError at /hook / You called this URL via POST, but the URL doesn't end in a slash "
        "and you have APPEND_SLASH set.",
    ),
    "django-csrf": (
        "<!DOCTYPE html><html><head><title>403 Forbidden</title><style>a{}</style></head><body>"
        "<div id=summary><h1>Forbidden <span>(403)</span></h1>"
        "<p>CSRF verification failed. Request aborted.</p></div></body></html>",
        "CSRF verification failed. Request aborted.",
    ),
    "werkzeug": (
        "<!doctype html><html><head><title>ValueError: can&#39;t do\n // Werkzeug Debugger</title>"
        '</head><body><div class="debugger"><h1>ValueError</h1><div class="detail">'
        '<p class="errormsg">ValueError: can&#39;t do</p></div><h2 class="traceback">Traceback '
        "<em>(most recent call last)</em></h2></div></body></html>",
        "ValueError: can't do",
    ),
    "flask": (
        "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The "
        "requested URL was not found on the server. If you entered the URL manually please check "
        "your spelling and try again.</p>\n",
        "404 Not Found",
    ),
    "express": (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        "</head>\n<body>\n<pre>TypeError: Cannot read properties of undefined (reading &#39;id&#39;)"
        "<br> &nbsp; &nbsp;at /app/hook.js:12:9<br> &nbsp; &nbsp;at Layer.handle [as handle_request] "
        "(/app/node_modules/express/lib/router/layer.js:95:5)</pre>\n</body>\n</html>\n",
        "TypeError: Cannot read properties of undefined (reading 'id')",
    ),
    "express-404": (
        "<!DOCTYPE html><html><head><title>Error</title></head><body><pre>Cannot POST /hook</pre>"
        "</body></html>",
        "Cannot POST /hook",
    ),
    "rails-debug": (
        '<!DOCTYPE html><html lang="en"><head><title>Action Controller: Exception caught</title>'
        "<style>b{}</style></head><body><header role=banner><h1>RuntimeError in "
        'WebhooksController#create</h1></header><main><div class="exception-message"><div '
        'class="message">no account for &quot;x&quot;</div></div><div>Rails.root: /app</div></main>'
        "</body></html>",
        'no account for "x" / RuntimeError in WebhooksController#create',
    ),
    "rails-blocked-host": (
        "<!DOCTYPE html><html><head><title>Action Controller: Exception caught</title></head><body>"
        "<header><h1>Blocked hosts: me.ngrok-free.app</h1></header><main><h2>To allow requests to "
        "these hosts, make sure they are valid hostnames.</h2></main></body></html>",
        "Blocked hosts: me.ngrok-free.app / To allow requests to these hosts, make sure they are "
        "valid hostnames.",
    ),
    "rails-production": (
        "<!DOCTYPE html><html><head><title>We're sorry, but something went wrong (500)</title></head>"
        "<body><div><h1>We're sorry, but something went wrong.</h1></div></body></html>",
        "We're sorry, but something went wrong (500)",
    ),
    "rails-debug-csrf": (
        '<!DOCTYPE html><html lang="en"><head><title>Action Controller: Exception caught</title>'
        "<style>b{}</style></head><body><header><h1>ActionController::InvalidAuthenticityToken\n"
        '    in WController#csrf</h1></header><main role="main" id="container"><h2>ActionController::'
        'InvalidAuthenticityToken</h2><div class="source" id="frame-source-0-0"><div class="info">'
        "Extracted source (around line <strong>#211</strong>):</div></div></main></body></html>",
        "ActionController::InvalidAuthenticityToken in WController#csrf",
    ),
    "django-debug-404": (
        "<!DOCTYPE html><html lang=en><head><title>Page not found at /nothing/</title></head><body>"
        '<header id="summary"><h1>Page not found <small>(404)</small></h1><table class="meta"><tr>'
        '<th scope="row">Request Method:</th><td>POST</td></tr></table></header><main id="info"><p>'
        "Using the URLconf defined in <code>app</code>,\n Django tried these URL patterns, in this "
        "order:</p><ol><li><code>boom/</code></li></ol></main></body></html>",
        "Page not found at /nothing/ / Using the URLconf defined in app, Django tried these URL "
        "patterns, in this order:",
    ),
    "express-production": (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        "</head>\n<body>\n<pre>Unauthorized</pre>\n</body>\n</html>\n",
        "Unauthorized",
    ),
    "laravel-419": (
        "<!DOCTYPE html><html><head><title>Page Expired</title></head><body><div>419</div><div>Page "
        "Expired</div></body></html>",
        "Page Expired",
    ),
    "laravel-ignition": (
        "<!doctype html><html><head><title>🧨 Undefined array key &quot;event&quot;</title><script>"
        "window.data = {}</script></head><body><script>x</script></body></html>",
        '🧨 Undefined array key "event"',
    ),
    "laravel-debug": (
        "<!DOCTYPE html><html><head><title>My Shop</title><style>a{}</style></head><body><div><div>"
        "Internal Server Error</div><button>Copy</button></div><div><h1>Illuminate\\Database\\Query"
        "Exception</h1><p> no such table: &quot;hooks&quot; </p></div><div>LARAVEL 12</div></body>",
        'Illuminate\\Database\\QueryException / no such table: "hooks"',
    ),
    "laravel-debug-11": (
        "<!DOCTYPE html><html><head><title>Laravel</title></head><body><header><span>Internal Server "
        "Error</span></header><main><div><span>\nIlluminate\\Database\\QueryException\n</span>\n<span>"
        "QueryException</span></div><div>no such table</div><div>POST localhost</div></main></body>",
        "Illuminate\\Database\\QueryException / no such table",
    ),
    "php": (
        "<br />\n<b>Fatal error</b>:  Uncaught Exception: no database in /app/hook.php:3\nStack "
        "trace:\n#0 {main}\n  thrown in <b>/app/hook.php</b> on line <b>3</b><br />\n",
        "Fatal error: Uncaught Exception: no database in /app/hook.php:3",
    ),
    "next-production": (
        '<!DOCTYPE html><html><head><title>500: Internal Server Error</title></head><body><div id="'
        '__next"><h1 class="next-error-h1">500</h1><h2>Internal Server Error.</h2></div></body>',
        "500: Internal Server Error",
    ),
    "next-development": (
        '<!DOCTYPE html><html><head></head><body><div id="__next"></div><script id="__NEXT_DATA__" '
        'type="application/json">{"props":{},"page":"/_error","err":{"name":"Error","source":"server"'
        ',"message":"boom in handler","stack":"Error: boom in handler\\n    at x"}}</script></body>',
        "boom in handler",
    ),
    "spring": (
        "<html><body><h1>Whitelabel Error Page</h1><p>This application has no explicit mapping for "
        "/error, so you are seeing this as a fallback.</p><div id='created'>Fri Nov 27 10:00:00 UTC "
        "2026</div><div>There was an unexpected error (type=Internal Server Error, status=500).</div>"
        "<div>no bean named &#39;x&#39;</div><div style='white-space:pre-wrap;'>"
        "java.lang.IllegalStateException: x\n\tat com.example.Hook.post(Hook.java:12)</div></body>",
        "There was an unexpected error (type=Internal Server Error, status=500). / no bean named 'x'",
    ),
    "starlette": (
        "<html><head><title>Starlette Debugger</title></head><body><h1>500 Server Error</h1>"
        "<h2>KeyError: &#x27;content&#x27;</h2><div>Traceback</div></body></html>",
        "KeyError: 'content'",
    ),
    "nginx": (
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad "
        "Gateway</h1></center>\r\n<hr><center>nginx/1.27.0</center>\r\n</body>\r\n</html>\r\n",
        "502 Bad Gateway / nginx/1.27.0",
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_reason_is_found_in_an_error_page(name: str) -> None:
    page, expected = PAGES[name]
    assert reason(page.encode()) == expected


def test_the_reason_is_found_in_the_debug_page_that_flask_makes() -> None:
    app = Flask("example")

    @app.post("/webhook")
    def webhook() -> str:
        raise ValueError("the database is locked & <b>busy</b>")

    app.testing = True  # it leaves errors to the debugger
    page = Client(DebuggedApplication(app)).post("/webhook").get_data()
    assert len(page) > 5000
    assert reason(page) == "ValueError: the database is locked & <b>busy</b>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error":"no such user"}', "no such user"),
        ('{"error":{"code":7,"message":"no such user"}}', "no such user"),
        (
            '{"detail":[{"loc":["body","x"],"msg":"Field required","type":"missing"}]}',
            "Field required",
        ),
        ('{"timestamp":1,"status":500,"error":"Internal Server Error","message":"boom"}', "boom"),
        (
            '{"message":"Undefined array key","exception":"ErrorException"}',
            "Undefined array key / ErrorException",
        ),
        ('{"errors":{"event":["The event field is required."]}}', "The event field is required."),
        (
            '{"status":500,"error":"Internal Server Error"}',
            '{"status":500,"error":"Internal Server Error"}',
        ),
        ('"boom"', "boom"),
        ('{"message":"bo', '{"message":"bo'),
        ("KeyError: 'content'\n    at /app/x.js:1:2\n", "KeyError: 'content'"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: boom\n',
            "ValueError: boom",
        ),
        (
            "System.Exception: boom\r\n   at Program.Main() in /app/Program.cs:line 3",
            "System.Exception: boom",
        ),
        (
            "java.lang.RuntimeException: boom\n\tat com.example.Hook.post(Hook.java:12)",
            "java.lang.RuntimeException: boom",
        ),
        ("one\n\n two  words\nthree\nfour", "one / two words / three"),
        ("", ""),
        ("   \n", ""),
    ],
)
def test_the_reason_is_found_in_json_and_text(body: str, expected: str) -> None:
    assert reason(body.encode()) == expected


@pytest.mark.parametrize(
    "body", [gzip.compress(TEXT), bytes(range(256)), b"\x00\x01\x02"], ids=["gzip", "all", "nul"]
)
def test_binary_is_not_quoted(body: bytes) -> None:
    assert reason(body) == ""


def test_a_long_reason_is_cut() -> None:
    assert reason(b"x" * 100_000) == "x" * 200 + "…"


def test_utf_16_is_read() -> None:
    assert reason("größer".encode("utf-16")) == "größer"


@given(
    st.binary(max_size=200) | st.text(alphabet="<>/!-[]{}\"'&;#ab \n", max_size=80).map(str.encode)
)
def test_any_body_gives_one_short_line(body: bytes) -> None:
    line = reason(body)
    assert len(line) <= 201
    assert len(line.splitlines()) <= 1


def test_a_hostile_page_is_read_in_time() -> None:
    for page in (
        b"<div>" * 13_000,
        b"<p" * 30_000,
        b"<!" * 30_000,
        b"<a b='" * 10_000,
        b"<h1>x" * 13_000,
    ):
        reason(b"<html>" + page)
