"""Refuses the arguments of a session that do not go together, before anything is opened."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tiktok_hook.errors import UsageError
from tiktok_hook.forward import refuse_loop

if TYPE_CHECKING:
    from tiktok_hook.session.wiring import listen


def check(plan: "listen") -> None:
    """Check all of them but what only opening can tell.

    Raises:
        UsageError: Some do not go together or cannot be used.
    """
    check_edge(verify_webhook=plan.verify_webhook, secrets=plan.known_secrets)
    if plan.command and not plan.targets:
        raise UsageError(
            "There is a command to start, but no target to hand deliveries to.",
            hint=f"tiktok-hook listen --forward-to 3000 -- {' '.join(plan.command)}",
        )
    if not plan.targets and plan.app is None:
        _check_without_target(plan)
    _check_path(plan.path)
    if plan.public_url is not None:
        _check_public_url(plan.public_url, tunnel=plan.tunnel)
    refuse_loop(
        plan.targets,
        receiver_port=plan.port or None,
        inspector_port=plan.inspect_port or None,
        callback_url=plan.public_url,
    )


def check_edge(*, verify_webhook: bool, secrets: Sequence[str]) -> None:
    """Refuse to have ngrok verify without anything to verify with.

    Raises:
        UsageError: There is no client secret.
    """
    if verify_webhook and not secrets:
        raise UsageError(
            "--verify-webhook needs the client secret.",
            hint="Give it with TIKTOK_CLIENT_SECRET, --secret-file or --secret -.",
        )


def _check_without_target(plan: "listen") -> None:
    """Refuse what only an app to hand deliveries to gives a meaning."""
    given = {
        "--pass": plan.pass_through,
        "--ack": plan.ack in {"first", "hold"},
        "--events": plan.events,
        "--header": plan.headers,
        "--insecure": plan.insecure,
    }
    for flag, is_given in given.items():
        if is_given:
            raise UsageError(f"{flag} needs a target.", hint="Add --forward-to 3000.")


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise UsageError(f"--path {path} does not begin with a slash.", hint=f"Try --path /{path}")
    if not re.fullmatch(r"[!-~]+", path) or set(path) & set("?#"):
        raise UsageError(
            f"--path {path!r} is more than a path.", hint="Give a path such as /tiktok."
        )


def _check_public_url(url: str, *, tunnel: bool) -> None:
    if tunnel:
        raise UsageError(
            "--public-url says that something else is public instead of our tunnel.",
            hint="Add --no-tunnel.",
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            f"--public-url {url} is not a URL.",
            hint="For instance --public-url https://hooks.example.com",
        )
