"""Hints for bad answers: the cause that is shown, the next step, the app's own words."""

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_hook.hints import (
    LISTENER_FAILURE,
    LISTENER_REJECTION,
    LISTENER_RULES,
    for_accepted_forgery,
    for_answer,
)
from tiktok_hook.sanitize import visible

TARGET = "http://127.0.0.1:3000/webhooks/tiktok"


def hint(status: int | None = None, error: str | None = None, **more: Any) -> str:
    given_all = {"verdict": "valid", "target": TARGET} | more
    return for_answer(status=status, error=error, **given_all)


def test_a_200_needs_no_hint() -> None:
    assert hint(200) == ""
    assert hint() == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("refused", ["Nothing listens at 127.0.0.1:3000", "host.docker.internal"]),
        ("timeout", ["Answer 200 first", "--forward-timeout 600"]),
        ("reset", ["closed the connection"]),
        ("dns", ["No address is known for 127.0.0.1:3000"]),
        ("tls", ["TLS connection to 127.0.0.1:3000 failed", "http://"]),
        ("protocol", ["not HTTP"]),
        ("too_large", ["larger than 64 KiB"]),
        ("unreachable", ["127.0.0.1:3000 cannot be reached"]),
        ("descriptors", ["ulimit -n"]),
        ("method", ["TRACE and CONNECT"]),
        ("loop", ["this listener itself"]),
        ("odd \x1b words", ["could not be reached at 127.0.0.1:3000: odd \\x1b words"]),
    ],
)
def test_each_error_has_its_own_hint(error: str, words: list[str]) -> None:
    hint_text = hint(error=error)
    assert all(word in hint_text for word in words)


@pytest.mark.parametrize(
    ("error", "more", "words"),
    [
        ("reset", {"evidence": "tls"}, "speaks TLS: write https://"),
        ("protocol", {"evidence": "tls"}, "speaks TLS: write https://"),
        ("refused", {"evidence": "other-family"}, "something does at [::1]:3000"),
        ("tls", {"detail": "no TLS there: wrong version number"}, "write http:// in the target"),
        ("tls", {"detail": "the certificate is not trusted: self-signed"}, "--insecure"),
        ("tls", {"detail": "the certificate is not trusted: self-signed"}, "SSL_CERT_FILE"),
        ("timeout", {"detail": "no complete answer within 7 s"}, "no complete answer within 7 s"),
        ("unreachable", {"detail": "no route to host"}, "(no route to host)"),
    ],
)
def test_what_was_found_at_the_target_is_the_cause(
    error: str, more: dict[str, Any], words: str
) -> None:
    assert words in hint(error=error, **more)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://localhost:3000", True),
        ("127.0.0.1:3000", True),
        ("http://[::1]:3000/x", True),
        ("http://app:3000", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_docker_is_mentioned_for_the_loopback_only(target: str, expected: bool) -> None:  # noqa: FBT001 a case of a table
    assert ("host.docker.internal" in hint(error="refused", target=target)) is expected


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("valid", "the app rejects a delivery whose signature is valid. It gives no reason"),
        ("stale", "valid but old"),
        ("invalid", "correctly rejected"),
        ("missing", "correctly rejected"),
        ("unchecked", "Give the client secret here too"),
        (None, "the app rejects the delivery"),
    ],
)
def test_a_rejection_is_explained_by_the_signature(
    status: int, verdict: str | None, words: str
) -> None:
    hint_text = hint(status, verdict=verdict)
    assert words in hint_text
    assert "your verifier" not in hint_text  # nothing shows that it was the verifier


@pytest.mark.parametrize(
    "body",
    [b"invalid signature", b'{"error":"HMAC mismatch"}', b"timestamp too old", b"not verified"],
)
def test_the_verifier_is_named_if_the_app_speaks_of_it(body: bytes) -> None:
    assert "your verifier rejects a good signature" in hint(401, body=body)


def test_a_listener_that_rejects_a_valid_signature_is_recognised() -> None:
    hint_text = hint(403, verdict="valid", body=LISTENER_REJECTION)
    assert "the listener" in hint_text
    assert "--tolerance" in hint_text
    assert "verifier" not in hint_text
    assert "correctly rejected" in hint(403, verdict="invalid", body=LISTENER_REJECTION)


def page(title: str, text: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body><p>{text}</p>".encode()


CAUSES: dict[str, tuple[int, dict[str, Any], list[str]]] = {
    "airplay": (403, {"headers": [("Server", "AirTunes/775.3.1")]}, ["AirPlay", "5000"]),
    "airplay-404": (404, {"headers": [("server", "airtunes/1")]}, ["AirPlay"]),
    "django-csrf": (
        403,
        {"body": page("403 Forbidden", "CSRF verification failed. Request aborted.")},
        ["CSRF", "@csrf_exempt"],
    ),
    "laravel-csrf": (419, {"body": page("Page Expired", "419")}, ["CSRF", "Laravel"]),
    "laravel-csrf-json": (419, {"body": b'{"message":"CSRF token mismatch."}'}, ["CSRF"]),
    "rails-csrf": (
        422,
        {"body": b"ActionController::InvalidAuthenticityToken in HooksController#create"},
        ["CSRF", "skip_forgery_protection"],
    ),
    "express-csrf": (403, {"body": page("Error", "ForbiddenError: invalid csrf token")}, ["CSRF"]),
    "flask-csrf": (
        400,
        {"body": page("400 Bad Request", "The CSRF token is missing.")},
        ["csrf.exempt"],
    ),
    "rails-host": (
        403,
        {"body": page("Action Controller: Exception caught", "Blocked hosts: me.ngrok-free.app")},
        ["config.hosts", "--header 'Host: localhost'"],
    ),
    "vite-host": (
        403,
        {
            "body": b'Blocked request. This host ("a.b") is not allowed.\nTo allow this host, add '
            b'"a.b" to `server.allowedHosts` in vite.config.js.'
        },
        ["server.allowedHosts"],
    ),
    "webpack-host": (403, {"body": b"Invalid Host header"}, ["rejects the host name"]),
    "django-host": (
        400,
        {"body": page("DisallowedHost at /", "Invalid HTTP_HOST header: '0.0.0.0:8000'.")},
        ["ALLOWED_HOSTS"],
    ),
    "login": (401, {"headers": [("WWW-Authenticate", "Basic realm=x")]}, ["login (Basic)"]),
    "nginx-tls": (
        400,
        {"body": page("400 The plain HTTP request was sent to HTTPS port", "400 Bad Request")},
        ["speaks TLS", "https://"],
    ),
    "go-tls": (400, {"body": b"Client sent an HTTP request to an HTTPS server."}, ["https://"]),
    "two-programs": (404, {"evidence": "two-programs"}, ["two programs", "127.0.0.1", "::1"]),
    "doubled-path": (
        404,
        {"target": "http://localhost:1/webhooks/tiktok/webhooks/tiktok"},
        ["/webhooks/tiktok twice"],
    ),
    "doubled-path-behind-another": (404, {"target": "http://a/x/hook/hook"}, ["/hook twice"]),
    "django-content": (
        500,
        {
            "body": page(
                "TypeError at /hook", "string indices must be integers, not &#x27;str&#x27;"
            )
        },
        ["json.loads(event[", "Its message: TypeError"],
    ),
    "python-content": (
        500,
        {"body": b"AttributeError: 'str' object has no attribute 'get'"},
        ["a string that holds JSON"],
    ),
    "php-content": (
        500,
        {"body": b"Cannot access offset of type string on string in hook.php"},
        ["a string that holds JSON"],
    ),
    "ruby-content": (
        500,
        {"body": b"no implicit conversion of String into Integer (TypeError)"},
        ["a string that holds JSON"],
    ),
    "gzip": (
        403,
        {
            "body": gzip.compress(b'{"error":"CSRF token missing"}'),
            "headers": [("Content-Encoding", "gzip")],
        },
        ["CSRF", "Its message: CSRF token missing"],
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_is_named_that_the_answer_shows(name: str) -> None:
    status, more, words = CAUSES[name]
    hint_text = hint(status, **more)
    assert all(word in hint_text for word in words), hint_text
    assert "your verifier" not in hint_text
    assert "gives no reason" not in hint_text


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'<html><head><meta name="csrf-token" content="x"></head><body>Members only</body>'),
        (403, b"<html><script>var csrf = 1; // blocked host</script><body>No</body></html>"),
        (404, b"no route"),
        (400, b"bad json"),
    ],
)
def test_no_cause_is_named_without_evidence(status: int, body: bytes) -> None:
    hint_text = hint(status, body=body)
    assert not any(word in hint_text for word in ("CSRF", "host name", "verifier", "TLS", "twice"))
    assert "Its message: " in hint_text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "could not read the request"),
        (404, "nothing answers at /webhooks/tiktok"),
        (405, "takes no POST"),
        (413, "size of bodies"),
        (415, "content type"),
        (418, "418: the app rejected it"),
        (429, "how often"),
        (500, "500: the app failed"),
        (502, "a proxy in front of the app"),
        (503, "not ready"),
        (504, "waited too long"),
        (508, "forwarded it already"),
        (599, "599: the app failed"),
    ],
)
def test_each_bad_status_has_its_own_hint_and_quotes_the_app(status: int, words: str) -> None:
    assert words in hint(status)
    assert "Its message: no such thing" in hint(status, body=b'{"error":"no such thing"}')


@pytest.mark.parametrize("status", [201, 202, 204])
def test_other_successes_are_flagged(status: int) -> None:
    hint_text = hint(status)
    assert "Answer exactly 200" in hint_text
    assert "72 h" in hint_text


@pytest.mark.parametrize(
    ("location", "target", "words"),
    [
        ("/webhooks/tiktok/", TARGET, "an added slash at its end"),
        ("http://127.0.0.1:3000/webhooks/tiktok", TARGET + "/", "a missing slash at its end"),
        ("https://127.0.0.1:3000/webhooks/tiktok", TARGET, "the app wants https"),
        ("/login?next=/webhooks", TARGET, "to http://127.0.0.1:3000/login. "),
        ("/login?next=/webhooks", TARGET, "looks like a login"),
        ("https://elsewhere.example/x", TARGET, "a redirect to https://elsewhere.example/x"),
        ("/\x1b[31m\u202e", TARGET, "\\x1b[31m\\u202e"),
        ("?again=1", TARGET, f"a redirect to {TARGET}. "),
        (None, TARGET, "Use the final address"),
        ("", TARGET, "Use the final address"),
        ("http://[broken", TARGET, "Use the final address"),
        ("/x", "http://[broken", "Use the final address"),
    ],
)
def test_the_hint_for_a_redirect_names_its_address_and_what_to_change(
    location: str | None, target: str, words: str
) -> None:
    headers = [] if location is None else [("LOCATION", location)]
    hint_text = hint(301, headers=headers, target=target)
    assert words in hint_text
    assert "Redirects are not followed" in hint_text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "It gives no reason"),
        (b"\n\n  KeyError: 'content'\n  more\n", "Its message: KeyError: 'content' / more"),
        (b"\x1b[31mred\x1b[0m", "Its message: \\x1b[31mred\\x1b[0m"),
        (b"<html><head><style>" + b"a{}" * 500, "It gives no reason"),
        (b"x" * 100_000, "Its message: " + "x" * 200 + "…"),
    ],
)
def test_a_server_error_quotes_the_answer(body: bytes, words: str) -> None:
    assert words in hint(500, body=body)


def test_a_name_and_password_in_the_target_are_not_repeated() -> None:
    target = "http://user:hunter2@localhost:3000/path"
    for more in ({"error": "refused"}, {"error": "dns"}, {"status": 404}, {"status": 421}):
        assert "hunter2" not in hint(**more, target=target)
    location = "http://user:hunter2@localhost:3000/other"
    assert "hunter2" not in hint(302, target=target, headers=[("Location", location)])


def test_accepting_a_forgery_has_its_own_hint() -> None:
    assert "Your app does not verify" in for_accepted_forgery()


@given(
    status=st.none() | st.integers(100, 999),
    error=st.none() | st.sampled_from(["refused", "tls"]) | st.text(max_size=10),
    verdict=st.none() | st.sampled_from(["valid", "stale", "invalid", "missing", "unchecked"]),
    target=st.text(max_size=30) | st.text(max_size=20).map("http://".__add__),
    body=st.binary(max_size=80),
    location=st.none() | st.text(max_size=30),
)
def test_any_answer_gives_a_harmless_hint(
    status: int | None,
    error: str | None,
    verdict: str | None,
    target: str,
    body: bytes,
    location: str | None,
) -> None:
    hint_text = for_answer(
        status=status,
        error=error,
        verdict=verdict,
        target=target,
        body=body,
        headers=[] if location is None else [("Location", location), ("Server", location)],
    )
    assert visible(hint_text) == hint_text
    assert len(hint_text) < 1000


@pytest.mark.parametrize("option", ["--ack", "--answer"])
@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_a_status_that_an_option_of_the_listener_set_is_not_blamed_on_the_app(
    option: str, status: int
) -> None:
    hint_text = hint(status, verdict="valid", body=LISTENER_RULES[option])
    assert hint_text.startswith(f"{option} of the listener set the {status}, not your app")
    assert option not in hint(status, verdict="valid", body=b'{"ok":false}')


@pytest.mark.parametrize(
    "error", ["refused", "timeout", "reset", "dns", "tls", "protocol", "descriptors", "method"]
)
@pytest.mark.parametrize("status", [502, 504])
def test_a_failure_that_the_listener_reports_is_not_blamed_on_a_proxy(
    error: str, status: int
) -> None:
    hint_text = hint(status, verdict="valid", body=LISTENER_FAILURE % error.encode())
    assert hint_text.startswith(f"{status}: the listener ")
    assert "proxy" not in hint_text
    assert "tiktok-hook show last" in hint_text
    assert "proxy" in hint(status, verdict="valid", body=b'{"ok":false,"error":"app gone"}x')
