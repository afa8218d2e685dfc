"""What the tests of signatures share: parts of `vectors.BODY`, signed in any way, and measured."""

import hmac
import json
import time
from collections.abc import Callable
from functools import partial

from tests.signature.vectors import BODY, SECRET, T
from tiktok_hook.signature import diagnose

KEY = SECRET.encode()
STAMP = f"{T}.".encode()
PARSED = json.loads(BODY)
CLIENT_KEY = b"awexampleclient1"

diagnosed = partial(diagnose, max_seconds=5.0)
"""A diagnosis whose result does not depend on how loaded the machine is."""

NOT_A_RECIPE = {None, "another-secret", "sandbox-key", "business-app", "tiktok-shop", "empty-body"}
"""The diagnoses of a signature that nothing explains."""


def mac(message: bytes, key: bytes = KEY) -> bytes:
    """The 32 bytes; `vectors.mac` gives them in hex."""
    return hmac.digest(key, message, "sha256")


def ours(message: bytes, key: bytes = KEY) -> tuple[str, list[tuple[str, str]]]:
    """TikTok's header for any message, and no other headers."""
    return f"t={T},s={mac(message, key).hex()}", []


def named(given: tuple[str | None, list[tuple[str, str]]], body: bytes = BODY) -> str | None:
    """The mistake that a header and other headers are diagnosed with."""
    header, headers = given
    found = diagnosed(header, body, [SECRET], now=T + 9, headers=headers)
    if found is None:
        return None
    assert SECRET not in found.reason + found.hint
    return found.mistake


def least_seconds(work: Callable[[], object]) -> float:
    """Processor time of the fastest of five runs; the others were disturbed."""
    took = []
    for _ in range(5):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)
