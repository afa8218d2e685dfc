"""A bad answer is put in words with a next step, whatever the app sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_hook.hints import LISTENER_REFUSAL, for_accepted_forgery, for_answer
from tiktok_hook.sanitize import visible

TARGET = "http://127.0.0.1:3000/webhooks/tiktok"


def hint(status: int | None = None, error: str | None = None, **more: Any) -> str:
    given_all = {"verdict": "valid", "target": TARGET} | more
    return for_answer(status=status, error=error, **given_all)


def test_a_200_needs_no_words() -> None:
    assert hint(200) == ""
    assert hint() == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("refused", ["Nothing listens at 127.0.0.1:3000", "host.docker.internal"]),
        ("timeout", ["Answer 200 first"]),
        ("reset", ["cut the connection"]),
        ("dns", ["No address is known for 127.0.0.1:3000"]),
        ("tls", ["certificate", "--insecure"]),
        ("protocol", ["not HTTP"]),
        ("too_large", ["larger than is read"]),
        ("unreachable", ["No way leads to 127.0.0.1:3000"]),
        ("loop", ["this listener itself"]),
        ("odd \x1b words", ["could not be reached at 127.0.0.1:3000: odd \\x1b words"]),
    ],
)
def test_each_failure_to_answer_has_its_own_words(error: str, words: list[str]) -> None:
    said = hint(error=error)
    assert all(word in said for word in words)


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
        ("valid", "your verifier refuses a good signature"),
        ("stale", "right but old"),
        ("invalid", "rightly refused"),
        ("missing", "rightly refused"),
        ("unchecked", "Give the client secret here too"),
        (None, "a login before it"),
    ],
)
def test_a_refusal_is_judged_by_the_signature(status: int, verdict: str | None, words: str) -> None:
    assert words in hint(status, verdict=verdict)


def test_a_listener_that_refuses_a_good_signature_has_another_secret_or_less_patience() -> None:
    said = hint(403, verdict="valid", body=LISTENER_REFUSAL)
    assert "the listener" in said
    assert "--tolerance" in said
    assert "verifier" not in said
    assert "rightly refused" in hint(403, verdict="invalid", body=LISTENER_REFUSAL)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "parsed before the signature was verified"),
        (404, "nothing answers at /webhooks/tiktok"),
        (405, "takes no POST"),
        (413, "size of bodies"),
        (415, "content type"),
        (418, "418: the app refused it"),
        (429, "how often"),
        (500, "500: the app failed"),
        (502, "a proxy before the app"),
        (503, "not ready"),
        (504, "waited too long"),
        (508, "forwarded it already"),
        (599, "599: the app failed"),
    ],
)
def test_each_bad_status_has_its_own_words(status: int, words: str) -> None:
    assert words in hint(status)


@pytest.mark.parametrize("status", [201, 202, 204])
def test_other_successes_are_flagged(status: int) -> None:
    said = hint(status)
    assert "Answer exactly 200" in said
    assert "72 h" in said


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
def test_redirects_say_where_to_and_what_to_change(
    location: str | None, target: str, words: str
) -> None:
    said = hint(301, location=location, target=target)
    assert words in said
    assert "Redirects are not followed" in said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "It sent no explanation"),
        (b"\n\n  KeyError: 'content'\n  at line 7\n", "It says: KeyError: 'content' / at line 7"),
        (b"\x1b[31mred\x1b[0m", "It says: \\x1b[31mred\\x1b[0m"),
        (
            b"<!doctype html><html><head><title>x</title></head><body><h1>Oops</h1></body>",
            "It says: Oops",
        ),
        (b"<html><head><style>" + b"a{}" * 500, "It sent no explanation"),
        (b"\xff\xfe binary", "binary"),
        (b"x" * 100_000, "It says: " + "x" * 200 + "…"),
    ],
)
def test_a_server_error_repeats_the_first_lines_of_the_answer(body: bytes, words: str) -> None:
    assert words in hint(500, body=body)


def test_a_name_and_password_in_the_target_are_not_repeated() -> None:
    target = "http://user:hunter2@localhost:3000/path"
    for more in ({"error": "refused"}, {"error": "dns"}, {"status": 404}, {"status": 421}):
        assert "hunter2" not in hint(**more, target=target)
    location = "http://user:hunter2@localhost:3000/other"
    assert "hunter2" not in hint(302, target=target, location=location)


def test_accepting_a_forgery_has_its_own_words() -> None:
    assert "Your app does not verify" in for_accepted_forgery()


@given(
    status=st.none() | st.integers(100, 999),
    error=st.none() | st.sampled_from(["refused", "tls"]) | st.text(max_size=10),
    verdict=st.none() | st.sampled_from(["valid", "stale", "invalid", "missing", "unchecked"]),
    target=st.text(max_size=30) | st.text(max_size=20).map("http://".__add__),
    body=st.binary(max_size=80),
    location=st.none() | st.text(max_size=30),
)
def test_whatever_an_app_does_is_put_in_harmless_words(
    status: int | None,
    error: str | None,
    verdict: str | None,
    target: str,
    body: bytes,
    location: str | None,
) -> None:
    said = for_answer(
        status=status, error=error, verdict=verdict, target=target, body=body, location=location
    )
    assert visible(said) == said
    assert len(said) < 700
