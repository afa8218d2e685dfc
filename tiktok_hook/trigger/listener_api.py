"""Sends bodies through a running listener, which signs them with its own client secret.

The request goes to the API of the listener's inspector, on the loopback address and with the token
of the user's state folder. The listener signs the body and sends it to its own receiver; no
response contains the signature.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from tiktok_hook import paths
from tiktok_hook.errors import AppError, UsageError
from tiktok_hook.forward import Forwarder, ForwardRequest, Reply, is_loopback

_MORE_SECONDS = 5.0
"""How much longer the API may take than the request that it makes."""


@dataclass(frozen=True, slots=True)
class ListenerApi:
    """The API of a running listener.

    Attributes:
        url: Of the operation that signs and sends.
        token: The inspector's.
        through_tunnel: Send to the public Callback URL instead of the receiver's own port.
    """

    url: str
    token: str = field(repr=False)
    through_tunnel: bool = False

    async def send(
        self,
        forwarder: Forwarder,
        body: bytes,
        *,
        age: float = 0.0,
        bad_signature: bool = False,
        timeout: float = 10.0,
    ) -> Reply:
        """Have the listener sign a body and send it to its receiver, and return what came back.

        Args:
            forwarder: Sends the request to the API.
            body: The exact bytes.
            age: Seconds since the signature; negative is in the future.
            bad_signature: Get one digit of the signature wrong.
            timeout: Longest wait for the receiver's answer, in seconds.

        Raises:
            AppError: The listener did not answer, or rejected the token.
            UsageError: It cannot sign, or the body is too large for its API.
        """
        signing = "bad" if bad_signature else "age" if age else "fresh"
        asked = {
            "body_base64": base64.b64encode(body).decode(),
            "signing": signing,
            "age_seconds": age,
            "through_tunnel": self.through_tunnel,
            "timeout_seconds": timeout,
        }
        request = ForwardRequest(
            method="POST",
            url=self.url,
            headers=(
                ("Content-Type", "application/json"),
                ("Authorization", f"Bearer {self.token}"),
            ),
            body=json.dumps(asked).encode(),
        )
        return _reply(await forwarder.send(request, timeout=timeout + _MORE_SECONDS))


def _reply(answer: Reply) -> Reply:
    """The receiver's answer, from the API's."""
    if answer.status is None:
        raise AppError(
            f"The listener that should sign the event did not answer: {answer.detail}.", hint=_HINT
        )
    try:
        found: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            message, hint = str(found["error"]), str(found["hint"])
            if answer.status == 401:
                raise AppError("The listener rejected the token of the state folder.", hint=_HINT)
            raise UsageError(f"The listener did not send the event: {message}", hint=hint or _HINT)
        return Reply(
            found["status"],
            headers=tuple((name, value) for name, value in found["headers"]),
            body=base64.b64decode(found["body_base64"]),
            duration_ms=found["duration_ms"],
            error=found["error"],
            detail=found["detail"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise AppError(
            f"The listener that should sign the event answered {answer.status}.", hint=_HINT
        ) from error


def signing_listener(*, through_tunnel: bool = False) -> ListenerApi | None:
    """Find the newest running listener's API, if that listener verifies signatures.

    Args:
        through_tunnel: Have it send to its public Callback URL.

    Returns:
        None if no listener runs, or if it accepts unsigned deliveries.

    Raises:
        UsageError: It verifies signatures, but has no inspector on the loopback address.
        StoreError: The state folder, which has the token, cannot be used.
    """
    newest = paths.newest_listener()
    if newest is None or not newest.verifies:
        return None
    if newest.inspector_url is None:
        raise UsageError("The listener has no inspector, so it cannot sign events.", hint=_HINT)
    if not is_loopback(newest.inspector_url):
        raise UsageError(
            "The listener's inspector is not on the loopback address, so it gets no token.",
            hint=_HINT,
        )
    url = f"{newest.inspector_url.rstrip('/')}/api/v1/send"
    return ListenerApi(url, paths.user_token(), through_tunnel)


_HINT = "Set TIKTOK_CLIENT_SECRET, or give --secret -, to sign the event here."
