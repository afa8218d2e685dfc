"""What a client asks for in a JSON body, taken apart with one sentence for whatever is wrong."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tiktok_hook.errors import UsageError
from tiktok_hook.replay import Mode, Signing


class Wish:
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


async def wish_of(request: web.Request) -> Wish:
    """What a request's body asks for; an empty body asks for nothing special.

    Raises:
        UsageError: It is not a JSON object.
    """
    data = await request.read()
    try:
        value = json.loads(data.decode("utf-8")) if data else {}
    except (ValueError, RecursionError):
        raise UsageError("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise UsageError("The body has to be a JSON object.")
    return Wish(value)
