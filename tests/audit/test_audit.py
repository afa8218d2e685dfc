"""Playing the table of cases at an app, judging its answers, naming its mistakes."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import web

from tests.apps import Answer, free_port, hang, http, running_app
from tests.doc_pages import block
from tiktok_hook import audit, events, signature
from tiktok_hook.audit import playing
from tiktok_hook.audit.mistakes import NAMES
from tiktok_hook.errors import AppError, UsageError

SECRET = "example-client-secret"
Verify = Callable[[web.Request, bytes], int]


def good(request: web.Request, body: bytes) -> int:
    """What an app should do."""
    header = request.headers.get("Tiktok-Signature")
    verdict = signature.check(header, body, SECRET, now=time.time())
    return 200 if verdict.state == "valid" else 403


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """An app with one route for everything; its URL."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=1.0, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def app(verify: Verify, *, get: int = 405) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(status=verify(request, body) if request.method == "POST" else get)

    async with serving(answer) as url:
        yield url


def outcomes(report: audit.AuditReport) -> dict[str, str]:
    return {each.case.id: each.outcome.value for each in report.results}


def named(report: audit.AuditReport) -> list[str]:
    return [mistake.name for mistake in report.mistakes]


async def test_a_good_app_passes_every_case() -> None:
    async with app(good) as url:
        report = await audit.play(url, secret=SECRET)
    assert set(outcomes(report).values()) == {"pass"}
    assert report.passed
    assert report.counts == {"pass": len(audit.CASES), "warn": 0, "fail": 0, "skip": 0}
    assert report.mistakes == ()


def test_no_two_cases_share_an_id() -> None:
    ids = [case.id for case in audit.CASES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("case", audit.CASES, ids=lambda case: case.id)
def test_our_own_check_agrees_with_the_expectation_of_a_case(case: audit.Case) -> None:
    now = time.time()
    for request in case.build(audit.RequestFactory("http://127.0.0.1/", SECRET, now)):
        if case.expected is audit.Expected.IGNORED:
            assert request.method == "GET"
            continue
        headers = {name.lower(): value for name, value in request.headers}
        verdict = signature.check(
            headers.get("tiktok-signature"), request.body, SECRET, now=now, tolerance=300
        )
        assert (verdict.state == "valid") is (case.expected is audit.Expected.ACCEPTED)


def digest(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def by_recipe(make: Callable[[str, bytes], str], *, window: float = 300) -> Verify:
    """An app that compares s with something, and looks at the age of t."""

    def verify(request: web.Request, body: bytes) -> int:
        parts = dict(
            part.partition("=")[::2]
            for part in request.headers.get("Tiktok-Signature", "").split(",")
        )
        t = parts.get("t", "")
        fresh = t.isdigit() and abs(time.time() - int(t)) <= window
        return 200 if fresh and parts.get("s") == make(t, body) else 401

    return verify


def signed(t: str, body: bytes) -> bytes:
    return b"%b.%b" % (t.encode(), body)


def freshness(low: float, high: float) -> Verify:
    """An app that verifies well, and allows for an age between two limits."""

    def verify(request: web.Request, body: bytes) -> int:
        header = request.headers.get("Tiktok-Signature")
        verdict = signature.check(header, body, SECRET, now=time.time(), tolerance=1e18)
        age = verdict.age_seconds
        return 200 if verdict.state == "valid" and age is not None and low <= age <= high else 403

    return verify


MISTAKES: dict[str, tuple[Verify, str]] = {
    "takes-all": (lambda *_: 200, "fails-open"),
    "without-a-header": (
        lambda request, body: good(request, body) if "Tiktok-Signature" in request.headers else 200,
        "missing-header-passes",
    ),
    "body-alone": (by_recipe(lambda _, body: digest(SECRET, body)), "unsigned-timestamp"),
    "no-dot": (by_recipe(lambda t, body: digest(SECRET, t.encode() + body)), "no-dot"),
    "base64": (
        by_recipe(
            lambda t, body: base64.b64encode(
                bytes.fromhex(digest(SECRET, signed(t, body)))
            ).decode()
        ),
        "base64",
    ),
    "empty-secret": (by_recipe(lambda t, body: digest("", signed(t, body))), "empty-secret"),
    "own-secret": (
        by_recipe(lambda t, body: digest("my-own", signed(t, body))),
        "other-secret-or-login",
    ),
    "a-day": (freshness(-300, 86_400), "wide-freshness-window"),
    "no-past-limit": (freshness(-300, 1e18), "no-freshness-check"),
    "no-future-limit": (freshness(-1e18, 300), "future-passes"),
    "five-seconds": (freshness(-5, 5), "narrow-freshness-window"),
    "204": (lambda request, body: 204 if good(request, body) == 200 else 403, "not-200"),
    "unescaped-slashes": (
        lambda request, body: good(request, body.replace(rb"\/", b"/")),
        "reserialised-body",
    ),
    "sha256-prefix": (
        by_recipe(lambda t, body: f"sha256={digest(SECRET, signed(t, body))}"),
        "digest-format",
    ),
    "another-path": (lambda *_: 404, "no-route"),
    "crash": (lambda *_: 500, "crash"),
    "redirect": (lambda *_: 307, "redirects"),
}


@pytest.mark.parametrize(("verify", "name"), MISTAKES.values(), ids=MISTAKES)
async def test_a_mistake_is_named(verify: Verify, name: str) -> None:
    async with app(verify) as url:
        report = await audit.play(url, secret=SECRET)
    assert not report.passed
    assert named(report) == [name]


def test_every_mistake_has_a_test_that_meets_it() -> None:
    elsewhere = {"wrong-header", "reserialised-body", "challenge-echo", "slow-answer"}
    obstacles = {"no-route", "redirects"}
    assert {name for _, name in MISTAKES.values()} | elsewhere == set(NAMES) | obstacles


def reserialising_another_header(request: web.Request, body: bytes) -> int:
    """Falls over without the header that it reads, and does not look at the age."""
    header = request.headers.get("X-Signature")
    if header is None:
        return 500
    written = json.dumps(json.loads(body)).encode()
    return 200 if signature.check(header, written, SECRET, now=0, tolerance=1e18).secret else 401


def digest_of_the_body(request: web.Request, body: bytes) -> int:
    return 200 if request.headers.get("X-Hub-Signature-256") == digest(SECRET, body) else 401


@pytest.mark.parametrize(
    ("verify", "names"),
    [
        (
            reserialising_another_header,
            ["wrong-header", "reserialised-body", "no-freshness-check"],
        ),
        (digest_of_the_body, ["wrong-header", "digest-format", "no-freshness-check"]),
    ],
    ids=["reserialised-under-another-header", "digest-of-the-body"],
)
async def test_mistakes_in_company_are_named(verify: Verify, names: list[str]) -> None:
    async with app(verify) as url:
        report = await audit.play(url, secret=SECRET, cases=audit.select(["valid", "forged"]))
    assert named(report) == names
    assert report.way is not None
    assert report.way.header in report.mistakes[0].words


async def test_an_app_that_knows_only_some_events_fails_by_the_others_names() -> None:
    def verify(request: web.Request, body: bytes) -> int:
        return good(request, body) if b'"authorization.removed"' in body else 400

    async with app(verify) as url:
        cases = audit.select(["event:a*", "event:portability*", "unknown-event"])
        report = await audit.play(url, secret=SECRET, cases=cases)
    assert outcomes(report) == {
        "event:authorization.removed": "pass",
        "event:portability.download.ready": "fail",
        "unknown-event": "fail",
    }
    assert "72 hours" in report.results[1].means
    assert "no picking" in report.results[1].likely


async def test_an_app_that_rejects_a_repetition_fails() -> None:
    seen: set[bytes] = set()

    def verify(request: web.Request, body: bytes) -> int:
        status = 409 if body in seen else good(request, body)
        seen.add(body)
        return status

    async with app(verify) as url:
        report = await audit.play(url, secret=SECRET, cases=audit.select(["redelivery"]))
    assert (report.results[0].outcome, report.results[0].status) == ("fail", 409)
    assert "at least once" in report.results[0].means


async def test_a_slow_answer_is_a_warning() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.15)
        return web.Response(status=200)

    async with serving(answer) as url:
        report = await audit.play(url, secret=SECRET, cases=audit.select(["valid"]), slow=0.1)
    assert outcomes(report) == {"valid": "warn"}
    assert report.passed
    assert named(report) == ["slow-answer"]
    assert report.slowest_ms > 100


async def test_an_app_that_never_answers_fails() -> None:
    async with running_app(hang) as silent:
        report = await audit.play(
            silent.url, secret=SECRET, cases=audit.select(["valid", "forged"]), timeout=0.2
        )
    assert outcomes(report) == {"valid": "fail", "forged": "fail"}
    assert report.results[0].observed == "gave no answer: no complete answer within 0.2 s"


async def test_a_rejection_by_a_server_error_is_a_warning() -> None:
    async with running_app(http(500)) as failing:
        report = await audit.play(failing.url, secret=SECRET, cases=audit.select(["no-t", "get"]))
    assert outcomes(report) == {"no-t": "warn", "get": "warn"}


async def test_a_failure_like_that_of_the_plainest_delivery_gets_no_guess_of_its_own() -> None:
    async with running_app(http(500)) as lost:
        report = await audit.play(lost.url, secret=SECRET, cases=audit.select(["valid", "late"]))
    assert "The app failed" in report.results[0].likely
    assert report.results[1].likely == "The same as with the case valid."
    assert not report.proves_rejections


OBSTACLES = {
    "no-route": http(404, b"Cannot POST /hook"),
    "gone": http(410),
    "no-post": http(405),
    "redirect": http(301, b"", "Location: /hook/"),
    "login-redirect": http(302, b"", "Location: /login"),
    "login": http(401, b"", "WWW-Authenticate: Basic realm=x"),
    "csrf": http(403, b"<html><body><h1>Forbidden</h1><p>CSRF verification failed.</p></body>"),
    "page-expired": http(419, b"<html><title>Page Expired</title></html>"),
    "blocked-host": http(403, b"Blocked hosts: a.b"),
    "airplay": http(403, b"", "Server: AirTunes/1"),
}


@pytest.mark.parametrize("name", OBSTACLES)
async def test_an_audit_stops_where_the_handler_is_not_reached(name: str) -> None:
    async with running_app(OBSTACLES[name]) as lost:
        report = await audit.play(lost.url, secret=SECRET)
    assert len(lost.requests) == 1
    assert len(report.results) == 1
    assert not report.passed
    assert report.stopped
    assert [each.words for each in report.mistakes] == [report.stopped]
    expected = {"gone": "no-route", "no-post": "no-route", "redirect": "redirects"}
    expected |= {"login-redirect": "login", "page-expired": "csrf"}
    assert report.obstacle == expected.get(name, name)


def limited(allowed: int, answer: bytes) -> Answer:
    """An app that verifies, and lets only a number of requests through."""
    served = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        writer.write(http(200, b"", "Connection: close") if served <= allowed else answer)

    return talk


@pytest.mark.parametrize(
    "answer",
    [http(429), http(429, b"", "Retry-After: 3600"), http(503, b"", "Retry-After: 3600")],
    ids=["429", "429-an-hour", "503-an-hour"],
)
async def test_a_rate_limiter_is_not_a_verdict_on_the_app(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "_PATIENCE_SECONDS", 1.5)
    cases = audit.select(["valid", "forged", "stale", "event:*"])
    async with running_app(limited(1, answer)) as app:
        report = await audit.play(app.url, secret=SECRET, cases=cases)
    assert outcomes(report)["valid"] == "pass"
    assert {each.outcome for each in report.results[1:]} == {"skip"}
    assert not report.passed
    assert [each.name for each in report.mistakes] == ["rate-limited"]
    assert b"<skipped" in audit.junit(report)


async def test_a_limit_at_the_first_delivery_ends_the_audit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(playing, "_PATIENCE_SECONDS", 0.0)
    async with running_app(http(429)) as app:
        report = await audit.play(app.url, secret=SECRET)
    assert len(app.requests) == 1
    assert report.obstacle == "rate-limited"


async def test_an_audit_waits_as_long_as_a_rate_limiter_asks() -> None:
    moments: list[float] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        moments.append(time.monotonic())
        first = len(moments) == 1
        writer.write(
            http(429, b"", "Retry-After: 1", "Connection: close")
            if first
            else http(200, b"", "Connection: close")
        )

    async with running_app(talk) as app:
        report = await audit.play(app.url, secret=SECRET, cases=audit.select(["valid"]))
    assert report.passed
    assert moments[1] - moments[0] >= 1


async def test_a_503_without_a_time_to_retry_is_a_crash() -> None:
    async with running_app(http(503)) as app:
        report = await audit.play(app.url, secret=SECRET, cases=audit.select(["valid", "forged"]))
    assert named(report) == ["crash"]


async def test_requests_keep_to_a_rate() -> None:
    async with running_app() as app:
        began = time.monotonic()
        await audit.play(
            app.url,
            secret=SECRET,
            cases=audit.select(["valid", "ping", "late"]),
            rate=5,
            concurrency=3,
        )
        assert time.monotonic() - began >= 0.4


FRAMEWORKS = {
    "Express": ("X-Powered-By: Express", "express.raw"),
    "Next.js": ("X-Powered-By: Next.js", "await request.text()"),
    "PHP": ("X-Powered-By: PHP/8.3.1", "php://input"),
    "Laravel": ("Set-Cookie: laravel_session=x; path=/", "getContent()"),
    "Django": ("Server: WSGIServer/0.2 CPython/3.11.7", "request.body"),
    "Flask": ("Server: Werkzeug/3.1.9 Python/3.11.7", "request.get_data()"),
    "FastAPI or Starlette": ("Server: uvicorn", "await request.body()"),
    "aiohttp": ("Server: Python/3.11 aiohttp/3.14.5", "await request.read()"),
    "Rails": ("X-Runtime: 0.012", "request.raw_post"),
    "ASP.NET": ("Server: Kestrel", "Request.Body"),
}


@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_the_fix_is_named_in_the_frameworks_own_terms(name: str) -> None:
    header, fix = FRAMEWORKS[name]

    async def reserialising(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(json.loads(running.bodies[-1])).encode()
        header_line = re.search(rb"(?i)tiktok-signature: ([^\r]*)", running.requests[-1])
        given = header_line[1].decode() if header_line else None
        verdict = signature.check(given, body, SECRET, now=time.time())
        status = 200 if verdict.state == "valid" else 401
        writer.write(http(status, b"", header, "Connection: close"))

    async with running_app(reserialising) as running:
        cases = audit.select(["valid", "forged", "reserialised-spaced"])
        report = await audit.play(running.url, secret=SECRET, cases=cases)
    assert report.framework is not None
    assert report.framework.name == name
    words = {each.name: each.words for each in report.mistakes}
    assert fix in words["reserialised-body"]


async def test_a_handler_that_fails_at_a_missing_key_does_not_verify_other_bytes() -> None:
    def reading_a_key(request: web.Request, body: bytes) -> int:
        header = request.headers.get("Tiktok-Signature")
        if signature.check(header, body, SECRET).state != "valid":
            return 401
        return 200 if "publish_id" in json.loads(json.loads(body)["content"]) else 500

    names = ["valid", "forged", "escaped-slashes", "unicode-escaped", "spaced-body", "key-order"]
    async with app(reading_a_key) as url:
        report = await audit.play(url, secret=SECRET, cases=audit.select(names))
    assert "fail" in outcomes(report).values()
    assert [each.name for each in report.mistakes] == []


RAW_BODY = "read the bytes of the request before anything parses them"


@pytest.mark.parametrize(
    ("status", "words", "is_evidence"),
    [
        (401, b"", True),
        (403, b"", True),
        (400, b"Invalid signature", True),
        (400, b"publish_id is missing", False),
        (422, b'{"detail":"field required"}', False),
        (500, b"KeyError: 'publish_id'", False),
        (500, b"", False),
    ],
)
async def test_the_signature_is_blamed_only_where_the_answer_rejects_it(
    status: int,
    words: bytes,
    is_evidence: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def answer(request: web.Request) -> web.Response:
        is_sample = b"example" not in await request.read()
        return web.Response(status=200 if is_sample else status, body=words)

    async with serving(answer) as url:
        cases = audit.select(["valid", "unicode-escaped"])
        report = await audit.play(url, secret=SECRET, cases=cases, client_key="aw1")
    likely = report.results[1].likely
    assert (RAW_BODY in likely) is is_evidence
    assert is_evidence or words.decode()[:8] in likely or "detail" in words.decode()


async def test_without_an_accepted_delivery_to_compare_with_nothing_is_guessed() -> None:
    async with running_app(http(401)) as app:
        report = await audit.play(app.url, secret=SECRET, cases=audit.select(["key-order", "late"]))
    assert [each.likely for each in report.results] == [
        "The app rejects a delivery whose signature is valid. It gives no reason: see its log."
    ] * 2


async def test_where_a_made_up_signature_is_accepted_the_others_prove_nothing() -> None:
    async with running_app(http(200)) as app:
        report = await audit.play(app.url, secret=SECRET)
    rejected = [each for each in report.results if each.case.expected is audit.Expected.REJECTED]
    assert rejected[0].case.id == "forged"
    assert {each.likely for each in rejected[1:]} == {"The same as with the case forged."}


@pytest.mark.parametrize(
    ("name", "plainer"),
    [("x-header", "missing-header"), ("future", "stale-week"), ("nonsense-t", "stale-week")],
)
async def test_what_a_plainer_case_explains_gets_no_guess_of_its_own(
    name: str, plainer: str
) -> None:
    def verify(request: web.Request, body: bytes) -> int:
        """Verifies only what has the header, and never looks at the age."""
        header = request.headers.get("Tiktok-Signature")
        if header is None:
            return 200
        t = dict(part.partition("=")[::2] for part in header.split(",")).get("t", "")
        return 200 if digest(SECRET, signed(t, body)) in header else 403

    async with app(verify) as url:
        report = await audit.play(url, secret=SECRET)
    likely = {each.case.id: each.likely for each in report.results}
    assert likely[name] == f"The same as with the case {plainer}."


@pytest.mark.parametrize("name", ["stale", "changed-body", "no-t"])
async def test_an_error_is_put_down_to_the_header_only_where_that_is_odd(name: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        status = good(request, body)
        return web.Response(status=status if status == 200 else 500, text="KeyError: 'v1'")

    async with serving(answer) as url:
        cases = audit.select(["valid", name])
        report = await audit.play(url, secret=SECRET, cases=cases)
    likely = report.results[1].likely
    assert ("taken apart" in likely) is (name == "no-t")
    assert ("KeyError: 'v1'" in likely) is (name != "no-t")


async def test_an_app_that_fails_at_everything_is_not_blamed_for_its_parser() -> None:
    async with running_app(http(500)) as app:
        report = await audit.play(app.url, secret=SECRET)
    assert {each.likely for each in report.results[1:]} == {"The same as with the case valid."}


async def test_a_forgery_answered_202_is_not_reported_as_the_wrong_status_of_a_good_delivery() -> (
    None
):
    async with running_app(http(202)) as app:
        report = await audit.play(app.url, secret=SECRET, cases=audit.select(["valid", "forged"]))
    assert "Nothing is verified" in report.results[1].likely
    assert "Anybody who learns the address" in report.results[1].means


@pytest.mark.parametrize(("status", "outcome"), [(501, "pass"), (405, "pass"), (500, "warn")])
async def test_a_get_may_be_unknown_but_not_make_an_app_fall_over(
    status: int, outcome: str
) -> None:
    async with app(good, get=status) as url:
        report = await audit.play(url, secret=SECRET, cases=audit.select(["get*"]))
    assert outcomes(report) == {"get": outcome, "get-challenge": outcome}
    assert [each.likely for each in report.results if "Meta" in each.likely] == []


async def test_where_nothing_listens_the_audit_does_not_start() -> None:
    target = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AppError, match="could not be reached: nothing listens at") as raised:
        await audit.play(target, secret=SECRET)
    assert "start the app" in raised.value.hint


async def test_results_come_in_the_tables_order_also_when_played_side_by_side() -> None:
    reported: list[str] = []
    async with app(good) as url:
        report = await audit.play(
            url,
            secret=SECRET,
            concurrency=8,
            on_result=lambda result: reported.append(result.case.id),
        )
    assert reported == [case.id for case in audit.CASES]
    assert report.passed


async def test_an_app_that_checks_the_client_key_gets_it() -> None:
    keys: set[bool] = set()

    def verify(request: web.Request, body: bytes) -> int:
        if request.headers.get("Tiktok-Signature"):
            keys.add(b'"client_key":"awminedamine1234"' in body)
        return good(request, body)

    async with app(verify) as url:
        cases = audit.select(["valid", "event:*", "unicode"])
        report = await audit.play(url, secret=SECRET, client_key="awminedamine1234", cases=cases)
    assert report.passed
    assert keys == {True}


async def test_a_wider_tolerance_moves_the_limits() -> None:
    async with app(freshness(-3600, 3600)) as url:
        report = await audit.play(url, secret=SECRET, tolerance=3600)
    assert report.passed


async def test_an_empty_secret_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="secret is empty"):
        await audit.play("3000", secret=" ")


def test_select_takes_globs_in_the_tables_order() -> None:
    assert [case.id for case in audit.select(["stale*", "valid"])] == [
        "valid",
        "stale",
        "stale-week",
    ]
    assert audit.select([]) == audit.CASES
    assert audit.select(["*"]) == audit.ALL_CASES


async def test_events_of_tiktok_business_are_sent_on_request_only() -> None:
    bodies: list[dict[str, Any]] = []

    def keep(request: web.Request, body: bytes) -> int:
        bodies.append(json.loads(body))
        return good(request, body)

    wanted = [kind.name for kind in events.CATALOGUE.values() if kind.business]
    cases = audit.select(["business:*"])
    assert not {case.id for case in cases} & {case.id for case in audit.CASES}
    async with app(keep) as url:
        report = await audit.play(url, secret=SECRET, cases=cases)
        assert report.passed
        assert sorted(body["event"] for body in bodies) == sorted(wanted)
        assert {body["client_key"] for body in bodies} == {"7512345678901234567"}
        bodies.clear()
        await audit.play(url, secret=SECRET, cases=cases[:1], client_key="7300000000000000001")
    assert [body["client_key"] for body in bodies] == ["7300000000000000001"]


def test_a_glob_that_matches_no_case_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No case of the audit is called 'vlaid'"):
        audit.select(["valid", "vlaid"])


async def test_the_junit_report_holds_every_case_and_what_failed() -> None:
    async with running_app(http(200)) as careless:
        cases = audit.select(["valid", "forged", "get"])
        report = await audit.play(careless.url, secret=SECRET, cases=cases)
    suite = ElementTree.fromstring(audit.junit(report)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failed = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}
    assert failed["valid"] is None
    failure = failed["forged"]
    assert failure is not None
    assert failure.get("message") == "a made-up signature: answered 200, has to be rejected"
    assert "Anybody" in (failure.text or "")


async def test_the_response_of_an_app_cannot_break_the_report() -> None:
    async with running_app(http(500, b"\x1b[2J\x00]]></failure>\xff")) as hostile:
        report = await audit.play(hostile.url, secret=SECRET, cases=audit.select(["valid"]))
    document = audit.junit(report)
    ElementTree.fromstring(document)
    assert b"\x1b" not in document
    assert SECRET.encode() not in document


def test_what_xml_cannot_hold_is_left_out_of_it() -> None:
    (case,) = audit.select(["valid"])
    result = audit.Result(case, audit.Outcome.FAIL, 500, 1.0, "\x1b\ufffe", "\x00", "\ud800")
    document = audit.junit(audit.AuditReport("http://\x07", 0.0, 0.0, (result,)))
    ElementTree.fromstring(document)
    assert b"\\x1b?" in document


async def test_the_json_report_holds_counts_mistakes_and_cases() -> None:
    async with running_app(http(202)) as app:
        report = await audit.play(app.url, secret=SECRET, cases=audit.select(["valid"]))
    shown = report.as_json()
    assert shown["passed"] is False
    assert shown["counts"] == {"pass": 0, "warn": 0, "fail": 1, "skip": 0}
    assert isinstance(shown["cases"], list)
    case = shown["cases"][0]
    assert isinstance(case, dict)
    assert (case["id"], case["status"], case["outcome"]) == ("valid", 202, "fail")


async def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = block("audit.play(").replace("…", SECRET)
    # Not to ngrok's own ingress.
    example = example.replace('targets=("3000",)', f'connect_url="127.0.0.1:{free_port()}"')
    async with app(good) as url:
        program = example.replace("http://localhost:3000/webhook", url)
        await asyncio.to_thread(exec, program, {})
    output = capsys.readouterr().out
    assert output.startswith("True []\n")
    assert "\npass secret" in output
    assert "\nfail authtoken Get a free one" in output
