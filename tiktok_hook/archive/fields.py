"""Access to the fields of untrusted JSON, each with its type checked."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from tiktok_hook.delivery import Headers
from tiktok_hook.exact_json import Json

_LARGEST = 1 << 63
_LAST_DAY = 253_402_214_400
"""9999-12-31: after it there are times that have no date in some time zone."""

_UNFIT_IN_PATH = re.compile("[\x00-\x20\x7f]")
_BEYOND_LATIN_1 = re.compile("[^\x00-\xff]")
_METHOD = re.compile("[A-Za-z][A-Za-z0-9_-]{0,30}")


def loads(text: bytes) -> Json:
    """Read JSON in UTF-8, however deep: a line wraps what was as deep as a body may be.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        value: Json = _DECODER.decode(text.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _integer(text: str) -> int | float:
    """An integer; infinity for one that is too long to convert, which no field accepts."""
    return int(text) if len(text) < _MAX_DIGITS else math.inf


_MAX_DIGITS = 4000
_DECODER = json.JSONDecoder(parse_constant=_reject, parse_int=_integer)

lenient_decoder = json.JSONDecoder(parse_constant=lambda _: None, parse_int=_integer)
"""Reads what other programs write: NaN and Infinity are null."""


class Fields:
    """A JSON object that is asked for its fields.

    Every method raises ValueError with a reason that names the field.

    Args:
        value: What should be an object.
        name: What it is called in reasons; empty for the whole line.
    """

    def __init__(self, value: Json, name: str = "") -> None:
        if not isinstance(value, dict):
            reason = f"{name or 'it'} is not a JSON object"
            raise ValueError(reason)  # noqa: TRY004 - wrong data, not a wrong argument
        self._values: Mapping[str, Json] = value
        self._prefix = f"{name}." if name else ""

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def get(self, name: str) -> Json:
        """The value as it is; None without one."""
        return self._values.get(name)

    def object(self, name: str) -> "Fields":
        """An object that has to be there."""
        return Fields(self._values.get(name), self._prefix + name)

    def list(self, name: str) -> list[Json]:
        """A list; empty without one."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A string; `default` without one, and without that it has to be there."""
        value = self._values.get(name, default)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def one_of(self, name: str, allowed: Sequence[str], default: str = "") -> str:
        """One of some words; `default` without one."""
        text = self.text(name, default)
        if text not in allowed:
            raise self._wrong(name, f"one of {', '.join(filter(None, allowed))}")
        return text

    def flag(self, name: str) -> bool:
        """True or false; false without one."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def whole(self, name: str) -> int | None:
        """An integer of 64 bits; None without one."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _LARGEST:
            raise self._wrong(name, "a whole number")
        return value

    def number(self, name: str) -> float | None:
        """A finite number; None without one."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise self._wrong(name, "a finite number")
        return found

    def time(self, name: str) -> float:
        """Unix seconds of an RFC 3339 time; one without an offset is taken as UTC."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            found = moment.timestamp()
        except (ValueError, OverflowError):
            found = -1
        if not 0 <= found < _LAST_DAY:
            raise self._wrong(name, "a time such as 2026-11-23T08:00:00Z")
        return found

    def method(self, name: str, default: str | None = None) -> str:
        """An HTTP method."""
        text = self.text(name, default)
        if not _METHOD.fullmatch(text):
            raise self._wrong(name, "an HTTP method")
        return text.upper()

    def path(self, name: str, default: str | None = None) -> str:
        """A piece of a request line: no spaces, no control characters."""
        text = self.text(name, default)
        if _UNFIT_IN_PATH.search(text):
            raise self._wrong(name, "possible in a request line")
        return text

    def status(self, name: str) -> int | None:
        """An HTTP status; None without one, or where a tool wrote 0."""
        value = self.whole(name)
        if value and not 100 <= value <= 999:
            raise self._wrong(name, "an HTTP status")
        return value or None

    def headers(self, name: str) -> Headers:
        """A list of ``[name, value]``."""
        found = []
        for pair in self.list(name):
            if not (
                isinstance(pair, list)
                and len(pair) == 2
                and isinstance(pair[0], str)
                and isinstance(pair[1], str)
            ):
                raise self._wrong(name, "a list of [name, value]")
            if _BEYOND_LATIN_1.search(pair[0] + pair[1]):
                raise self._wrong(name, "Latin-1, as headers are")
            found.append((pair[0], pair[1]))
        return tuple(found)

    def body(self) -> bytes:
        """The bytes of ``body`` or ``body_base64``; empty without either."""
        if "body_base64" in self:
            return self.base64("body_base64")
        return self.encoded("body", "")

    def encoded(self, name: str, default: str | None = None) -> bytes:
        """A string as UTF-8."""
        try:
            return self.text(name, default).encode()
        except UnicodeEncodeError:
            raise self._wrong(name, "Unicode text") from None

    def base64(self, name: str) -> bytes:
        """The bytes that a string holds in base64."""
        try:
            return base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError):
            raise self._wrong(name, "base64") from None

    def _wrong(self, name: str, wanted: str) -> ValueError:
        there = "is not" if name in self._values else "is missing; it should be"
        return ValueError(f"{self._prefix}{name} {there} {wanted}")
