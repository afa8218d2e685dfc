"""The plugin as pytest finds it: by its entry point, once, and at next to no cost."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deadline import DEADLINE

ROOT = Path(__file__).parent.parent.parent
PLAIN = ["-p", "no:cacheprovider", "-p", "no:asyncio"]  # pytest-asyncio has a warning of its own
USERS_TEST = """
{before}
def test_a_signed_event_is_accepted(tiktok_webhook):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b""]

    assert tiktok_webhook(app, secret="tiktok-client-secret").event("tiktok.ping").status == 200
"""


def test_the_plugin_imports_nothing_else_of_ours() -> None:
    code = (
        "import json, sys, pytest; before = set(sys.modules); import tiktok_hook.testing.plugin; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=DEADLINE, check=True
    )
    found = json.loads(done.stdout)
    assert found == ["tiktok_hook", "tiktok_hook.testing", "tiktok_hook.testing.plugin"]


@pytest.mark.parametrize(
    ("before", "options"),
    [
        ("", []),
        ("", ["-p", "tiktok_hook.testing.plugin"]),
        ('pytest_plugins = ["tiktok_hook.testing.plugin"]', []),
        ("import tiktok_hook.testing", []),
    ],
    ids=["alone", "with -p", "with pytest_plugins", "imported before"],
)
def test_an_installed_plugin_is_found_and_loaded_once(
    before: str, options: list[str], tmp_path: Path
) -> None:
    installed(tmp_path / "site")
    (tmp_path / "test_users.py").write_text(USERS_TEST.format(before=before))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *PLAIN, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "warning" not in done.stdout


def installed(site: Path) -> None:
    """What an installation leaves for pytest: the entry point, and the names of the files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    points = project["entry-points"]["pytest11"]
    folder = site / "tiktok_hook_installed-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiktok-hook-installed\nVersion: 1\n"
    )
    lines = [f"{name} = {module}" for name, module in points.items()]
    (folder / "entry_points.txt").write_text("[pytest11]\n" + "\n".join(lines) + "\n")
    files = (ROOT / "tiktok_hook").rglob("*.py")
    (folder / "RECORD").write_text("".join(f"{each.relative_to(ROOT)},,\n" for each in files))
