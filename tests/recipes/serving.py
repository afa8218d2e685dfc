"""Serves the recipes on the loopback, by the servers that their frameworks come with."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.types import WSGIApplication

import uvicorn
from aiohttp import web
from werkzeug.serving import WSGIRequestHandler, make_server

FRAMEWORKS = ("aiohttp", "fastapi", "flask", "django")


def source(framework: str) -> str:
    """A recipe as the docs show it."""
    return (Path(__file__).parent / f"with_{framework}.py").read_text("utf-8")


@asynccontextmanager
async def running(framework: str, code: str) -> AsyncIterator[str]:
    """Run a recipe's code and serve its app; the URL of its webhook.

    The code reads ``TIKTOK_CLIENT_SECRET`` from the environment when it is run.
    """
    with _module(framework, code) as module:
        serve = {"aiohttp": _aiohttp, "fastapi": _asgi, "flask": _flask, "django": _django}
        async with serve[framework](module) as port:
            yield f"http://127.0.0.1:{port}/webhook"


@contextmanager
def _module(framework: str, code: str) -> Iterator[ModuleType]:
    module = ModuleType(f"recipe_with_{framework}")
    sys.modules[module.__name__] = module
    try:
        exec(compile(code, module.__name__, "exec"), module.__dict__)
        yield module
    finally:
        del sys.modules[module.__name__]


@asynccontextmanager
async def _aiohttp(module: ModuleType) -> AsyncIterator[int]:
    runner = web.AppRunner(module.app, shutdown_timeout=1.0, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _asgi(module: ModuleType) -> AsyncIterator[int]:
    config = uvicorn.Config(module.app, port=0, log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve())
        async with asyncio.timeout(60):
            while not server.started:
                assert not task.done()
                await asyncio.sleep(0.005)
        try:
            yield server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - its signature
        pass


@asynccontextmanager
async def _wsgi(app: WSGIApplication) -> AsyncIterator[int]:
    server = make_server("127.0.0.1", 0, app, request_handler=_Quiet, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        await asyncio.to_thread(thread.join)
        server.server_close()


def _flask(module: ModuleType) -> AbstractAsyncContextManager[int]:
    return _wsgi(module.app)


def _django(module: ModuleType) -> AbstractAsyncContextManager[int]:
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import clear_url_caches

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["127.0.0.1"],
            MIDDLEWARE=[
                "django.middleware.common.CommonMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
            ],
            ROOT_URLCONF="recipe_with_django",
            LOGGING_CONFIG=None,
        )
        django.setup()
    clear_url_caches()  # it remembers the recipe before this one
    return _wsgi(WSGIHandler())
