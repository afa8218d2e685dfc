"""The only code that talks to a user's app: where it is, what it is sent, and the sending.

HTTP/1.1 is spoken here by hand, on asyncio alone. A forwarder must not touch what it carries, and
a general client does: it writes `Host` first, encodes header bytes as UTF-8, adds headers of its
own, and leaves a POST unsent when the app has just closed an idle connection. What is left is
small, a third faster than aiohttp's client, and quickly imported, which `replay` is glad of.
"""

from tiktok_hook.forward.client import KEPT_BYTES, Forwarder, Reply
from tiktok_hook.forward.outcome import begun, ended
from tiktok_hook.forward.request import ForwardRequest, build, compose, parse_header, with_header
from tiktok_hook.forward.target import join, local_port, parse_target, reachable, refuse_loop

__all__ = [
    "KEPT_BYTES",
    "ForwardRequest",
    "Forwarder",
    "Reply",
    "begun",
    "build",
    "compose",
    "ended",
    "join",
    "local_port",
    "parse_header",
    "parse_target",
    "reachable",
    "refuse_loop",
    "with_header",
]
