"""The commands that the docs show run as they are shown, where no network is needed."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests import doc_pages
from tests.apps import running_app
from tests.cli.history import fill
from tests.cli.runner import invoke
from tests.doc_pages import PAGES
from tests.store.samples import attempt, delivery, event_body
from tiktok_hook import paths
from tiktok_hook.store import open_store

RUN = set("audit clear events export import replay show sign trigger types verify wait".split())
"""The commands that can be run to their end here: with a history and an app, without a network."""


ENDLESS = "--follow|--pending|hook wait(?!.* --(?:cursor|since))"
"""What waits for the next delivery, or for one that is queued."""


@pytest_asyncio.fixture
async def app_port(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[int]:
    """An app that answers 200, a history, the client secret, and the files that the docs name."""
    doc_pages.make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", doc_pages.SECRET)
    with open_store(paths.history_path()) as store:
        await fill(store)
        body = event_body("post.publish.failed", reason="spam_risk")
        failed = await store.add(delivery(body, received_at=time.time(), status=500))
        begun = await store.begin_attempt(attempt(failed.id))
        await store.end_attempt(replace(begun, status=500, duration_ms=1.0))
    async with running_app() as app:
        yield app.port


@pytest.mark.parametrize(
    "line",
    [line for line in doc_pages.OURS if line.split()[1] in RUN and not re.search(ENDLESS, line)],
)
async def test_a_command_runs(line: str, app_port: int) -> None:
    words = doc_pages.arguments(re.sub(r"\b[38]000\b", str(app_port), line))
    words = [{"12": "2", "15-17": "1-1"}.get(word, word) for word in words]
    if words[0] in {"trigger", "replay"} and len(words) > 1 and "--to" not in words:
        words += ["--to", str(app_port)]
    done = await asyncio.to_thread(invoke, *words, stdin=b"y\n")
    assert done.exit_code in {0, 1, 6}, done.output  # 1 and 6: what is checked may fail
    assert "Traceback (most recent call last)" not in done.output


async def test_every_type_of_json_line_is_documented(home: Path) -> None:
    table = PAGES["docs/scripts.md"].partition("## Lines")[2].partition("\n## ")[0]
    documented = set(re.findall(r"(?m)^\| `([a-z]+)` \|", table))
    done = await asyncio.to_thread(invoke, "demo", "--format", "json")
    shown = {json.loads(line)["type"] for line in done.stdout.splitlines()}
    assert {"ready", "delivery", "attempt", "summary"} <= shown <= documented
