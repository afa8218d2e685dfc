"""Looks for the way of signing that an app takes, when it does not take the right one.

Mistakes come in company: an app that reads a wrong header may verify a re-serialised body too, and
no case with one of the two mistakes gives it away.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tiktok_hook.audit.case import RequestFactory
from tiktok_hook.audit.rejected import WEEK, X_HEADER
from tiktok_hook.audit.wrong_signatures import WRONG, Signed, right
from tiktok_hook.forward import ForwardRequest
from tiktok_hook.signature import HEADER

OTHER_HEADERS = (
    X_HEADER,
    "Tt-Signature",
    "X-Tt-Signature",
    "TikTok-Webhook-Signature",
    "X-Signature",
    "Webhook-Signature",
    "X-Webhook-Signature",
    "X-Hub-Signature-256",
)
"""Where code that was copied from elsewhere looks for a signature."""

_SECONDS = 20.0

Accepts = Callable[[ForwardRequest], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A wrong way of signing that an app takes.

    Attributes:
        header: The name of the header that it reads.
        recipe: What it takes for a signature, by its name in `WRONG`; None for the right one.
        takes_old: Whether it takes one that is a week old, too.
    """

    header: str
    recipe: str | None
    takes_old: bool


async def find_way(kit: Callable[[], RequestFactory], accepts: Accepts) -> Trial | None:
    """Try headers and recipes together, for at most 20 s.

    Args:
        kit: Makes the kit for a request, with the time of now.
        accepts: Sends a request; whether the app answered with a success.

    Returns:
        The first way found; None when there is none, or when the app takes made-up ones too.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            for made_up in (OTHER_HEADERS, (HEADER,)):
                if await accepts(_request(kit(), _made_up, made_up)):
                    return None
            for recipe, sign in [(None, right), *WRONG.items()]:
                names = [*([HEADER] if recipe else []), *OTHER_HEADERS]
                if not await accepts(_request(kit(), sign, names)):
                    continue
                for name in names:
                    if await accepts(_request(kit(), sign, (name,))):
                        last_week = replace(kit(), now=kit().now - WEEK)
                        old = await accepts(_request(last_week, sign, (name,)))
                        return Trial(name, recipe, takes_old=old)
    return None


def _made_up(kit: RequestFactory) -> Signed:
    return kit.sample(), f"t={int(kit.now)},s={secrets.token_hex(32)}"


def _request(
    kit: RequestFactory, sign: Callable[[RequestFactory], Signed], names: Sequence[str]
) -> ForwardRequest:
    body, header = sign(kit)
    return kit.post(body, header, names=names)
