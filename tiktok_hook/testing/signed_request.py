"""Requests as TikTok would send them, for any test client."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tiktok_hook import edits, signature, trigger
from tiktok_hook.delivery import SOURCE_HEADER, Source
from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import Json


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A POST that TikTok could have sent.

    Attributes:
        body: Exactly the bytes to send; sent in any other form, they no longer verify.
        headers: With the signature among them.
    """

    body: bytes
    headers: dict[str, str]


def signed(
    body: bytes,
    secret: str,
    *,
    age: float = 0.0,
    bad_signature: bool = False,
    no_signature: bool = False,
    now: float | None = None,
) -> SignedRequest:
    """A body with the headers that TikTok would send.

    Args:
        body: Anything, an event or not.
        secret: The app's client secret.
        age: Seconds since it was signed; negative is in the future.
        bad_signature: Get one digit wrong, which is what a forged one looks like.
        no_signature: Leave the signature out.
        now: Unix seconds; None reads the clock.

    Raises:
        UsageError: The secret cannot be a client secret, or the signature shall be both wrong and
            absent.
    """
    signature.checked_secret(secret, where="secret")
    if bad_signature and no_signature:
        raise UsageError("bad_signature and no_signature do not go together.")
    headers = {
        "Content-Type": trigger.CONTENT_TYPE,
        "User-Agent": "tiktok-hook testing",
        SOURCE_HEADER: Source.TRIGGER.value,
    }
    if not no_signature:
        moment = (time.time() if now is None else now) - age
        value = signature.sign(body, secret, timestamp=max(0, int(moment)))
        if bad_signature:
            value = signature.with_wrong_digit(value)
        headers[signature.HEADER] = value
    return SignedRequest(body, headers)


def signed_event(
    name: str,
    secret: str,
    changes: Mapping[str, Json] | None = None,
    *,
    age: float = 0.0,
    bad_signature: bool = False,
    no_signature: bool = False,
    now: float | None = None,
) -> SignedRequest:
    """A sample of an event, created when it is signed, with the headers that TikTok would send.

    Args:
        name: Of the catalogue: ``post.publish.failed``.
        secret: The app's client secret.
        changes: Values by their path, ``{"content.reason": "spam_risk"}``, taken as they are; a
            path that the sample lacks is added with a plus at its end.
        age: As for `signed`.
        bad_signature: As for `signed`.
        no_signature: As for `signed`.
        now: As for `signed`.

    Raises:
        UsageError: There is no such event or path; the hint has the nearest names.
    """
    moment = time.time() if now is None else now
    sets = edits.assignments(changes or {})
    return signed(
        trigger.body_of(name, sets=sets, now=moment - age),
        secret,
        age=age,
        bad_signature=bad_signature,
        no_signature=no_signature,
        now=moment,
    )
