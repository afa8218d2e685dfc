"""Receive, inspect, verify and replay TikTok webhooks on your machine.

Names are imported when they are first used, so that ``import tiktok_hook`` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_hook.delivery import Attempt, Delivery
    from tiktok_hook.errors import (
        AppError,
        HookError,
        ListenError,
        StoreError,
        TunnelError,
        UsageError,
    )
    from tiktok_hook.events import Event, sample, samples
    from tiktok_hook.history import History
    from tiktok_hook.session.blocking import BlockingSession, listening
    from tiktok_hook.session.lifecycle import listen
    from tiktok_hook.session.state import Session
    from tiktok_hook.signature import State, Verdict, check, diagnose, sign
    from tiktok_hook.store import Filter

_HOMES = {
    "AppError": "errors",
    "Attempt": "delivery",
    "BlockingSession": "session",
    "Delivery": "delivery",
    "Event": "events",
    "History": "history",
    "HookError": "errors",
    "ListenError": "errors",
    "Session": "session",
    "State": "signature",
    "StoreError": "errors",
    "TunnelError": "errors",
    "UsageError": "errors",
    "Verdict": "signature",
    "Filter": "store",
    "check": "signature",
    "diagnose": "signature",
    "listen": "session",
    "listening": "session",
    "sample": "events",
    "samples": "events",
    "sign": "signature",
}

__all__ = [
    "AppError",
    "Attempt",
    "BlockingSession",
    "Delivery",
    "Event",
    "Filter",
    "History",
    "HookError",
    "ListenError",
    "Session",
    "State",
    "StoreError",
    "TunnelError",
    "UsageError",
    "Verdict",
    "check",
    "diagnose",
    "listen",
    "listening",
    "sample",
    "samples",
    "sign",
]


_MODULES = frozenset({"audit", "doctor", "events", "trigger"})
"""Documented modules, which are attributes without an import of their own as well."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # importlib.metadata alone takes longer to import than everything else here.
        from importlib.metadata import version

        return version("tiktok-hook")
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
