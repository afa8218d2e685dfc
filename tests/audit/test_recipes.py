"""The audit against the documented handlers: the good ones pass, and each broken one is named."""

import pytest

from tests.recipes import serving
from tiktok_hook import audit

SECRET = "example-client-secret"

HANDLES_GET = {
    "aiohttp": (
        '@routes.post("/webhook")',
        '@routes.get("/webhook")\n'
        "async def challenge(request: web.Request) -> web.Response:\n"
        '    return web.Response(text=request.query["hub.challenge"])\n\n\n'
        '@routes.post("/webhook")',
    ),
    "fastapi": (
        '@app.post("/webhook")',
        '@app.get("/webhook")\n'
        "async def challenge(request: Request) -> Response:\n"
        '    return Response(request.query_params["hub.challenge"])\n\n\n'
        '@app.post("/webhook")',
    ),
    "flask": (
        '@app.post("/webhook")',
        '@app.get("/webhook")\n'
        "def challenge() -> Response:\n"
        '    return Response(request.args["hub.challenge"])\n\n\n'
        '@app.post("/webhook")',
    ),
    "django": (
        "@require_POST\ndef webhook(request: HttpRequest) -> HttpResponse:\n",
        "def webhook(request: HttpRequest) -> HttpResponse:\n"
        '    if request.method == "GET":\n'
        '        return HttpResponse(request.GET["hub.challenge"])\n',
    ),
}
ANSWERS_202 = {
    "aiohttp": ("status=200", "status=202"),
    "fastapi": ("status_code=200", "status_code=202"),
    "flask": ("status=200", "status=202"),
    "django": ("status=200", "status=202"),
}
SEEDS = {
    "reserialised": (
        ("import os\n", "import json\nimport os\n"),
        ("check(signature, body,", "check(signature, json.dumps(json.loads(body)).encode(),"),
    ),
    "reserialised-compact": (
        ("import os\n", "import json\nimport os\n"),
        (
            "check(signature, body,",
            "check(signature, json.dumps(json.loads(body), separators=(',', ':'),"
            " ensure_ascii=False).encode(),",
        ),
    ),
    "202": ANSWERS_202,
    "no-freshness-check": (("tolerance=300", "tolerance=1e18"),),
    "fails-open": (
        ('os.environ["TIKTOK_CLIENT_SECRET"]', 'os.environ.get("NO_SUCH_SECRET")'),
        ("body, SECRET", "body, SECRET or ()"),
        ("if verdict", "if SECRET and verdict"),
    ),
    "get-echo": HANDLES_GET,
    "x-header": (('"Tiktok-Signature"', '"X-TikTok-Signature"'),),
}
NAMED = {
    "reserialised": "reserialised-body",
    "reserialised-compact": "reserialised-body",
    "202": "not-200",
    "no-freshness-check": "no-freshness-check",
    "fails-open": "fails-open",
    "get-echo": "challenge-echo",
    "x-header": "wrong-header",
}


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", SECRET)


def spoilt(framework: str, seed: str) -> str:
    """A recipe with one mistake."""
    code = serving.source(framework)
    changes = SEEDS[seed]
    for old, new in [changes[framework]] if isinstance(changes, dict) else changes:
        assert code.count(old) == 1, f"{old!r} in with_{framework}.py"
        code = code.replace(old, new)
    return code


@pytest.mark.parametrize("framework", serving.FRAMEWORKS)
async def test_a_recipe_passes_every_case(framework: str) -> None:
    async with serving.running(framework, serving.source(framework)) as url:
        report = await audit.play(url, secret=SECRET)
    wrong = [(each.case.id, each.observed) for each in report.results if each.outcome != "pass"]
    assert wrong == []
    assert report.mistakes == ()
    assert len(report.results) == len(audit.CASES)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("framework", serving.FRAMEWORKS)
async def test_a_seeded_mistake_is_caught_and_named(framework: str, seed: str) -> None:
    async with serving.running(framework, spoilt(framework, seed)) as url:
        report = await audit.play(url, secret=SECRET)
    assert not report.passed
    assert [mistake.name for mistake in report.mistakes] == [NAMED[seed]]


async def test_a_recipe_does_not_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOK_CLIENT_SECRET")
    for framework in serving.FRAMEWORKS:
        with pytest.raises(KeyError, match="TIKTOK_CLIENT_SECRET"):
            async with serving.running(framework, serving.source(framework)):
                pass
