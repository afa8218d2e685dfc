"""Decodes JSON request bodies and query strings into dataclasses."""

import base64
import json
import types
from dataclasses import MISSING, fields
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from multidict import MultiMapping

from tiktok_hook.errors import UsageError

T = TypeVar("T")

_NAMES = {str: "a string", bool: "true or false", int: "an integer", float: "a number"}
_MISSING = object()


def decode_body(data: bytes, kind: type[T]) -> T:
    """A request body as a dataclass; an empty body leaves every field at its default.

    Args:
        data: JSON in UTF-8.
        kind: A dataclass. A field that it does not have is an error: with `target` misspelt a
            replay would be sent somewhere else.

    Raises:
        UsageError: It is not a JSON object, a field has the wrong name or value, or one without a
            default is missing.
    """
    try:
        value = json.loads(data.decode("utf-8")) if data else {}
    except (ValueError, RecursionError):
        raise UsageError("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise UsageError("The body must be a JSON object.")
    hints = get_type_hints(kind, include_extras=True)
    if unknown := sorted(value.keys() - hints.keys()):
        raise UsageError(
            f"Unknown field {unknown[0][:40]!r}.", hint=f"Known: {', '.join(sorted(hints))}."
        )
    for each in fields(kind):  # type: ignore[arg-type] # `type[T]` does not show that it is a dataclass
        has_default = each.default is not MISSING or each.default_factory is not MISSING
        if each.name not in value and not has_default:
            raise UsageError(f"The field {each.name!r} is missing.")
    return kind(**{name: _field(name, found, hints[name]) for name, found in value.items()})


def decode_query(query: MultiMapping[str], kind: type[T]) -> T:
    """A query string as a dataclass; parameters that it does not have are ignored.

    An empty value counts as left out. A field that is a tuple takes a parameter several times; of
    others the first counts. Numbers are decimal, flags ``0`` or ``1``.

    Raises:
        UsageError: A value is invalid.
    """
    given: dict[str, Any] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        texts = [text for text in query.getall(name, []) if text]
        if texts:
            values = [_Text(text) for text in texts]
            if get_origin(_plain(hint)) is tuple:
                (inner,) = {each for each in get_args(_plain(hint)) if each is not ...}
                given[name] = tuple(_field(name, each, inner) for each in values)
            else:
                given[name] = _field(name, values[0], hint)
    return kind(**given)


def decode_base64(text: str, *, name: str) -> bytes:
    """The bytes of a field in base64.

    Raises:
        UsageError: It is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # also characters that are not ASCII
        raise UsageError(f"{name} must be base64.") from None


class _Text(str):
    """A query parameter: text that may have to be read as a number or flag."""

    __slots__ = ()


def _field(name: str, value: object, hint: Any) -> Any:
    """The value as its field's type.

    Raises:
        UsageError: It is not of that type, or outside of its bounds.
    """
    found = _as(value, hint)
    if found is not _MISSING:
        return found
    given = f", not {value[:40]!r}" if isinstance(value, _Text) else ""
    raise UsageError(f"{name} must be {_wanted(hint, is_text=isinstance(value, _Text))}{given}.")


def _as(value: object, hint: Any) -> Any:
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        found = _as(value, inner)
        limits = dict(next((each for each in extras if isinstance(each, tuple)), ()))
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        if is_number and limits and not limits["minimum"] <= found <= limits["maximum"]:
            return _MISSING
        return found
    if get_origin(hint) in {Union, types.UnionType}:
        every = (_as(value, option) for option in get_args(hint))
        return next((each for each in every if each is not _MISSING), _MISSING)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            return _MISSING
        items = tuple(_as(each, get_args(hint)[0]) for each in value)
        return _MISSING if _MISSING in items else items
    if get_origin(hint) is Literal:
        return value if value in get_args(hint) else _MISSING
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next((each for each in hint if each.value == value), _MISSING)
    return _text_as(value, hint) if isinstance(value, _Text) else _json_as(value, hint)


def _json_as(value: object, hint: Any) -> Any:
    if hint is type(None):
        return None if value is None else _MISSING
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 1e300 else _MISSING
    return value if type(value) is hint else _MISSING


def _text_as(text: str, hint: Any) -> Any:
    if hint is str:
        return str(text)
    if hint is bool:
        return text == "1" if text in {"0", "1"} else _MISSING
    if hint is int and text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    if hint is float:
        try:
            number = float(text)
        except ValueError:
            return _MISSING
        return number if abs(number) < 1e12 else _MISSING  # also where it is not a number
    return _MISSING


def _plain(hint: Any) -> Any:
    """The type without descriptions, bounds and None."""
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    if get_origin(hint) in {Union, types.UnionType}:
        return _plain(get_args(hint)[0])
    return hint


def _wanted(hint: Any, *, is_text: bool) -> str:
    """What a value must be, in words."""
    limits = ""
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, tuple) and "minimum" in dict(extra):
            limits = f" from {dict(extra)['minimum']} to {dict(extra)['maximum']}"
    plain = _plain(hint)
    if get_origin(plain) is tuple:
        inner = _wanted(get_args(plain)[0], is_text=is_text)
        return inner if is_text or "one of" in inner else "a list of strings"
    if get_origin(plain) is Literal:
        return f"one of {', '.join(str(each) for each in get_args(plain))}"
    if isinstance(plain, type) and issubclass(plain, Enum):
        return f"one of {', '.join(each.value for each in plain)}"
    return "0 or 1" if is_text and plain is bool else _NAMES[plain] + limits
