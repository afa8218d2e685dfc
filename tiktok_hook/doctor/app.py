"""The TikTok app: client secret and client key. No secret is ever shown, nor a part of one."""

import re
from collections.abc import Sequence

from tiktok_hook import client_keys, signature
from tiktok_hook.delivery import Delivery
from tiktok_hook.doctor.finding import Finding, bad, good, warning
from tiktok_hook.doctor.received import newest
from tiktok_hook.doctor.subject import Subject
from tiktok_hook.doctor.waiting import in_thread
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import HEADER, State

_SHORTEST_SECRET = 16
_COPY = "Copy it from Credentials in the TikTok Developer Portal, of the same environment."


async def secret(subject: Subject) -> list[Finding]:
    """Whether there is a client secret, looks like one, and matches what TikTok sent."""
    if subject.secret_problem is not None:
        problem = subject.secret_problem
        return [bad("secret", str(problem).removesuffix("."), problem.hint)]
    if not subject.secrets:
        return [
            warning(
                "secret",
                "none was given: deliveries are received, but not verified",
                f"Set TIKTOK_CLIENT_SECRET. {_COPY}",
            )
        ]
    odd = [_oddness(text) for text in subject.secrets]
    for number, words in enumerate(odd, 1):
        if words:
            which = "it" if len(odd) == 1 else f"number {number}"
            return [warning("secret", f"{which} {words}", _COPY)]
    received = await in_thread(lambda: newest(subject))
    return [_fits(subject.secrets, received)]


def _oddness(text: str) -> str:
    if client_keys.environment(text) in {"sandbox", "production"}:
        return "looks like a client key, not like a client secret"
    if len(text) < _SHORTEST_SECRET:
        return f"is short for a client secret ({len(text)} characters)"
    if not re.fullmatch(r"[0-9A-Za-z_-]+", text):
        return "has characters that are unusual in a client secret"
    return ""


def _fits(secrets: Sequence[str], received: Sequence[Delivery]) -> Finding:
    given = "given" if len(secrets) == 1 else f"{len(secrets)} given"
    signed = [each for each in received if each.header(HEADER)]
    if not signed:
        return good("secret", f"{given}, shaped like one; no delivery of TikTok's to try it on yet")
    for delivery in signed:
        verdict = signature.check(
            delivery.header(HEADER), delivery.body, secrets, now=delivery.received_at
        )
        if verdict.state in {State.VALID, State.STALE}:
            return good("secret", f"{given}; it verifies delivery {delivery.id}")
    return warning(
        "secret",
        f"{given}, but it verifies none of the {len(signed)} newest signed deliveries",
        f"Is it of another app or environment, or was it renewed? {_COPY}",
    )


async def client_key(subject: Subject) -> list[Finding]:
    """Whether the client key is a sandbox's or that of production."""
    key, where = subject.client_key, "given"
    if key is None:
        received = await in_thread(lambda: newest(subject))
        found = next(
            ((each.event.client_key, each.id) for each in received if each.event is not None), None
        )
        if found is None or found[0] is None:
            return [good("client-key", "not known yet; --client-key names it")]
        key, where = found[0], f"in delivery {found[1]}"
    if client_keys.environment(key) == "sandbox":
        return [
            good(
                "client-key",
                f"of a sandbox ({where}): its secret is its own, too",
            )
        ]
    if client_keys.environment(key) == "production":
        return [good("client-key", f"of production ({where})")]
    return [
        warning(
            "client-key",
            f"{visible(key[:40])!r} ({where}) is shaped like neither a sandbox's nor production's",
            "A sandbox's has 18 characters and begins with sbaw, production's 16 with aw.",
        )
    ]
