"""The documented handlers under the documented tests, in a folder each, as users have them."""

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps import free_port
from tests.doc_pages import PYTHON, block
from tests.recipes import serving
from tests.store.samples import attempt, delivery
from tiktok_hook import paths
from tiktok_hook.store import open_store

TESTS = block("tiktok_webhook(app", "from handler import app")
STARLETTE = block("Starlette(")
DJANGO = block("get_wsgi_application")

DJANGO_SETTINGS = """
from django.conf import settings

settings.configure(
    ROOT_URLCONF="handler",
    ALLOWED_HOSTS=["testserver"],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    LOGGING_CONFIG=None,
)
"""


@pytest.mark.parametrize("framework", serving.FRAMEWORKS)
def test_the_docs_hold_the_recipe_as_it_is(framework: str) -> None:
    assert serving.source(framework) in PYTHON


@pytest.mark.parametrize("framework", [*serving.FRAMEWORKS, "starlette"])
def test_a_recipe_passes_the_documented_tests(framework: str, tmp_path: Path) -> None:
    handler, tests, settings = serving.source(framework.replace("starlette", "fastapi")), TESTS, ""
    if framework == "starlette":
        handler += STARLETTE
    elif framework == "django":
        tests, settings = TESTS.replace("from handler import app", DJANGO), DJANGO_SETTINGS
    (tmp_path / "handler.py").write_text(handler)
    (tmp_path / "conftest.py").write_text(settings)
    (tmp_path / "test_handler.py").write_text(tests)
    (tmp_path / "test_handler_async.py").write_text(tests.replace("def test_", "async def test_"))
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "tiktok_hook.testing.plugin",
            "-p",
            "pytest_asyncio.plugin",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "TIKTOK_CLIENT_SECRET": "example-client-secret",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "10 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: code.strip().splitlines()[-1][:40])
def test_every_example_in_python_is_python(code: str) -> None:
    ast.parse(code)


async def test_the_documented_replay_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(paths.history_path()) as store:
        added = await store.add(delivery())
        begun = await store.begin_attempt(attempt(added.id))
        await store.end_attempt(replace(begun, status=500, duration_ms=1.0))
    code = block("tiktok_hook.History()").replace("3000", str(free_port()))
    code = code.replace("…", "example-client-secret")
    exec(compile(code, "docs/python.md", "exec"), {})
    assert capsys.readouterr().out.startswith("1 ")
