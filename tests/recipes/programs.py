"""Serves the recipes for Node.js and PHP, each by its own program on the loopback address."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apps import free_port
from tests.deadline import DEADLINE

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HERE = Path(__file__).parent
NPM = Path(sys.prefix) / "npm" / "node_modules"

Change = Callable[[str], str]


@dataclass(frozen=True)
class Recipe:
    """A recipe and how it is served.

    Attributes:
        files: What is copied into its folder, from the docs' examples.
        ours: What is copied there from this folder.
        command: The words that serve it; ``PORT`` stands for the port.
        path: Of its webhook.
        package: What npm has to have installed for it.
    """

    files: tuple[str, ...]
    command: tuple[str, ...]
    ours: tuple[str, ...] = ()
    path: str = "/webhook"
    package: str | None = None


_NODE = ("node/tiktok.mjs", "node/inbox.mjs")
RECIPES = {
    "express": Recipe((*_NODE, "node/express.mjs"), ("node", "express.mjs"), package="express"),
    "next-js": Recipe(
        (*_NODE, "node/route.js"), ("node", "route_server.mjs"), ("route_server.mjs",)
    ),
    "php": Recipe(
        ("php/Tiktok.php", "php/webhook.php"), ("php", "-S", "127.0.0.1:PORT", "webhook.php")
    ),
    "laravel": Recipe(
        ("php/Tiktok.php", "laravel/TiktokWebhookController.php", "laravel/api.php"),
        ("php", "-S", "127.0.0.1:PORT", "laravel_stand_in.php"),
        ("laravel_stand_in.php",),
        "/api/tiktok",
    ),
}


def needs(program: str, package: str | None = None) -> None:
    """Skip the test without a program or a package of npm; fail in continuous integration."""
    if shutil.which(program) is None or (package and not (NPM / package).is_dir()):
        name = f"npm's {package} package" if package else program
        assert not os.environ.get("CI"), f"make system installs {name}"
        pytest.skip(f"needs {name}: make system installs it on Debian")


def copy(recipe: Recipe, folder: Path, change: Change = str) -> None:
    """Put a recipe's files into a folder, as a user has them; ``change`` spoils the text."""
    for path in [*(EXAMPLES / name for name in recipe.files), *(HERE / n for n in recipe.ours)]:
        (folder / path.name).write_text(change(path.read_text("utf-8")), "utf-8")
    if recipe.files[0].startswith("node/"):
        (folder / "package.json").write_text('{"type": "module"}')
    if recipe.package:
        (folder / "node_modules").symlink_to(NPM)


@asynccontextmanager
async def serving(
    name: str, folder: Path, *, secret: str | None, change: Change = str
) -> AsyncIterator[str]:
    """Serve a recipe from a folder; the URL of its webhook. It stores events in ``inbox``."""
    recipe = RECIPES[name]
    needs(recipe.command[0], recipe.package)
    copy(recipe, folder, change)
    port = free_port()
    variables = {"PORT": str(port), "TIKTOK_INBOX": str(folder / "inbox")}
    if secret is not None:
        variables["TIKTOK_CLIENT_SECRET"] = secret
    with (folder / "printed").open("wb") as printed:
        process = await asyncio.create_subprocess_exec(
            *(word.replace("PORT", str(port)) for word in recipe.command),
            cwd=folder, env={**os.environ, **variables}, stdout=printed, stderr=printed,
        )  # fmt: skip
    try:
        await _listening(port, process, folder)
        yield f"http://127.0.0.1:{port}{recipe.path}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process, folder: Path) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            if process.returncode is not None:
                raise ChildProcessError((folder / "printed").read_text("utf-8"))
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
