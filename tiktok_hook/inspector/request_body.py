"""What a client asks for in a JSON body, taken apart with one sentence for whatever is wrong."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from aiohttp import web

from tiktok_hook.errors import UsageError
from tiktok_hook.replayer import Mode, Signing


class RequestedReplay:
    """What a client asks for in a JSON body; nothing in it is taken on trust."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value

    def text(self, name: str) -> str | None:
        """A text, or None when it is left out.

        Raises:
            UsageError: It is something else.
        """
        found = self._value.get(name)
        if found is None or isinstance(found, str):
            return found
        raise UsageError(f"{name} has to be a text.")

    def texts(self, name: str) -> list[str]:
        """A list of texts.

        Raises:
            UsageError: It is something else.
        """
        found = self._value.get(name, [])
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return found
        raise UsageError(f"{name} has to be a list of texts.")

    def flag(self, name: str) -> bool:
        """True or false.

        Raises:
            UsageError: It is something else.
        """
        found = self._value.get(name, False)
        if isinstance(found, bool):
            return found
        raise UsageError(f"{name} has to be true or false.")

    def body(self) -> bytes | None:
        """A whole new body; None keeps the stored one."""
        text = self.text("body")
        return None if text is None else text.encode("utf-8", "surrogatepass")

    def signing(self, *, signed: bool) -> Signing:
        """How to sign: as asked, else afresh, or as it was where there is no secret.

        Raises:
            UsageError: There is no such way.
        """
        name = self.text("signing")
        if name is None:
            return Signing() if signed else Signing(Mode.AS_IS)
        age = self._value.get("age_seconds", 600.0)
        if isinstance(age, bool) or not isinstance(age, int | float) or not abs(age) < 1e10:
            raise UsageError("age_seconds has to be a number.")
        try:
            return Signing(Mode(name), float(age))
        except ValueError:
            ways = ", ".join(mode.value for mode in Mode)
            raise UsageError(f"signing has to be one of {ways}.") from None


REPLAY = frozenset({"target", "signing", "age_seconds", "set", "unset", "headers", "method", "path",
                    "body", "with_id", "dry_run"})  # fmt: skip
"""What may be asked of a replay; a test holds the API's document to it, as the next."""

SAMPLE = frozenset({"set"})
"""What may be asked of a sample."""


async def wish_of(request: web.Request, names: Collection[str]) -> RequestedReplay:
    """What a request's body asks for; an empty body asks for nothing special.

    A name that nobody knows is refused: with its `target` misspelt a replay would go elsewhere.

    Args:
        request: Its body is read.
        names: What may be asked for here.

    Raises:
        UsageError: It is not a JSON object, or has a name that is not known.
    """
    data = await request.read()
    try:
        value = json.loads(data.decode("utf-8")) if data else {}
    except (ValueError, RecursionError):
        raise UsageError("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise UsageError("The body has to be a JSON object.")
    if unknown := sorted(value.keys() - names):
        raise UsageError(
            f"{unknown[0][:40]!r} is nothing that can be asked for here.",
            hint=f"What can: {', '.join(sorted(names))}.",
        )
    return RequestedReplay(value)
