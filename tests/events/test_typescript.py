"""The TypeScript module compiles, and its types distinguish the events."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tiktok_hook.events import CATALOGUE, EventType
from tiktok_hook.events.typescript import module

TSC = Path(__file__).parents[2] / ".venv/page/node_modules/.bin/tsc"

USE = """
import type { ContentOf, TikTokWebhook } from "./types";

export function publishId(body: TikTokWebhook): string {
  if (body.event === "post.publish.failed") {
    const content = JSON.parse(body.content) as ContentOf<typeof body.event>;
    const reason: string = content.reason;
    return content.publish_id + reason + body.user_openid;
  }
  return body.client_key;
}
"""


def compiled(folder: Path, use: str) -> subprocess.CompletedProcess[str]:
    if not TSC.exists() or shutil.which("node") is None:
        assert not os.environ.get("CI"), "make lint installs the TypeScript compiler"
        pytest.skip("the TypeScript compiler is not installed: make lint")
    (folder / "types.ts").write_text(module(), "utf-8")
    (folder / "use.ts").write_text(use, "utf-8")
    words = [str(TSC), "--noEmit", "--strict", "use.ts", "types.ts"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_module_compiles_and_a_name_chooses_the_content(tmp_path: Path) -> None:
    done = compiled(tmp_path, USE)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_key_of_another_event_has_no_type(tmp_path: Path) -> None:
    done = compiled(tmp_path, USE.replace("content.reason", "content.share_id"))
    assert done.returncode != 0
    assert "unknown" in done.stdout


def test_every_event_has_a_body_and_a_content() -> None:
    text = module()
    for name in CATALOGUE:
        assert f'  event: "{name}";' in text
        assert f'  "{name}": ' in text


def test_a_meaning_cannot_end_a_comment() -> None:
    kind = EventType("a.b", "P", "over */ export", "w", (), "{}", "https://example.com")
    assert module([kind]).count("*/ export") == 0
