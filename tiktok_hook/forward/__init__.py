"""Sends requests to a user's app: targets, requests, connections, responses, recorded attempts.

Requests are written and connections pooled here, on asyncio, because a forwarder must not change
a request. General HTTP clients write ``Host`` first, encode header bytes as UTF-8, add headers of
their own, and do not know whether a POST on a reused connection was read before the app closed it.
Responses are parsed by httptools.
"""

from tiktok_hook.forward.client import KEPT_BYTES, Forwarder, Reply
from tiktok_hook.forward.outcome import begun, ended, explain
from tiktok_hook.forward.request import ForwardRequest, build, compose, parse_header, with_header
from tiktok_hook.forward.sockets import reachable, reject_resolved_loop
from tiktok_hook.forward.target import (
    EXAMPLE_TARGET,
    is_local,
    is_loopback,
    join,
    local_port,
    parse_target,
    reject_loop,
)

__all__ = [
    "EXAMPLE_TARGET",
    "KEPT_BYTES",
    "ForwardRequest",
    "Forwarder",
    "Reply",
    "begun",
    "build",
    "compose",
    "ended",
    "explain",
    "is_local",
    "is_loopback",
    "join",
    "local_port",
    "parse_header",
    "parse_target",
    "reachable",
    "reject_loop",
    "reject_resolved_loop",
    "with_header",
]
