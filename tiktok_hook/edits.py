r"""Edits of an event's body: ``--set PATH=VALUE``, ``--unset PATH``.

A path names keys with dots between them, ``content.publish_id``, and places in lists by number,
``items.0.id``. ``content`` is edited as the object it holds and written back as the string that
TikTok sends; a dot that belongs to a key is written ``\.``.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import MAX_DEPTH, Json, dumps, loads, why_not
from tiktok_hook.sanitize import visible

_MAX_NAMES = 500
"""How many paths of a body are compared with a mistyped one."""

_MAX_QUOTED = 80
"""Characters of a path or key that a message repeats."""


class EditError(UsageError):
    """An edit cannot be made: no such path, no value, or a body that is not JSON."""


def apply(body: bytes, *, sets: Sequence[str] = (), unsets: Sequence[str] = ()) -> bytes:
    """Change values of a JSON body.

    Args:
        body: A JSON object, as received.
        sets: ``PATH=VALUE`` each, in order. The value is JSON when it reads as JSON, and text
            otherwise: ``post_id=7`` is a number, ``post_id="7"`` a string. The path has to
            exist, but ``PATH+=VALUE`` adds a key, or one more item at the end of a list.
        unsets: Paths to take out, after all of ``sets``.

    Returns:
        Compact JSON as TikTok writes it, numbers exact, ``content`` as a string if it was one and
        untouched unless an edit reaches into it. Without edits, the body itself.

    Raises:
        EditError: With the nearest names when a path does not exist.
    """
    if not sets and not unsets:
        return body
    document = _Document(body)
    for text in sets:
        path, value, adding = _assignment(text)
        document.put(path, value, adding=adding)
    for text in unsets:
        document.take(_path(text))
    return document.written()


def paths(body: bytes) -> list[str]:
    """The paths in a body that ``--set`` and ``--unset`` take; empty if it is not a JSON object."""
    try:
        return _Document(body).paths()
    except EditError:
        return []


def assignments(changes: Mapping[str, Json]) -> list[str]:
    """``PATH=VALUE`` for `apply`, from values that are taken as they are.

    Args:
        changes: Values by their path. Text stays text, even where it would read as JSON; a plus at
            the path's end adds a key.
    """
    return [f"{path}={dumps(value)}" for path, value in changes.items()]


class _Document:
    """A body being edited; ``content`` is opened when an edit first reaches into it."""

    def __init__(self, body: bytes) -> None:
        try:
            root = loads(body)
        except ValueError as error:
            hint = "Give a whole new body instead."
            raise EditError(f"The body cannot be edited: {why_not(error)}.", hint=hint) from error
        if not isinstance(root, dict):
            raise EditError("The body is not a JSON object.", hint="Give a whole new body instead.")
        self._root = root
        # A body without content gets one as TikTok sends it, if it gets one.
        self._wraps_content = isinstance(root.get("content", ""), str)
        self._opened = False

    def put(self, path: list[str], value: Json, *, adding: bool) -> None:
        if path == ["content"]:
            self._opened = True
        parent = self._parent(path)
        key = path[-1]
        if isinstance(parent, dict):
            if key not in parent and not adding:
                raise self._no_such(path)
            parent[key] = value
        elif adding and key == str(len(parent)):
            parent.append(value)
        else:
            parent[self._place(parent, path, len(path))] = value

    def take(self, path: list[str]) -> None:
        parent = self._parent(path)
        if isinstance(parent, list):
            del parent[self._place(parent, path, len(path))]
        elif path[-1] in parent:
            del parent[path[-1]]
        else:
            raise self._no_such(path)

    def written(self) -> bytes:
        content = self._root.get("content")
        if self._opened and self._wraps_content and not isinstance(content, str | None):
            return dumps({**self._root, "content": dumps(content)}).encode()
        return dumps(self._root).encode()

    def paths(self) -> list[str]:
        self._open_content()
        return _paths(self._root)

    def _parent(self, path: list[str]) -> dict[str, Json] | list[Json]:
        if path[0] == "content" and len(path) > 1:
            self._open_content()
        here: Json = self._root
        for depth, key in enumerate(path[:-1], 1):
            if isinstance(here, dict):
                if key not in here:
                    raise self._no_such(path[:depth])
                here = here[key]
            elif isinstance(here, list):
                here = here[self._place(here, path, depth)]
            else:
                break
        if isinstance(here, dict | list):
            return here
        raise EditError(
            f"{_quoted(path)} cannot be reached: there is neither object nor list above it.",
            hint=self._hint(path),
        )

    def _open_content(self) -> None:
        content = self._root.get("content")
        if self._opened or not isinstance(content, str):
            return
        try:
            inner = loads(content)
        except ValueError:
            return
        if isinstance(inner, dict | list):
            self._root["content"] = inner
            self._opened = True

    def _place(self, items: list[Json], path: list[str], depth: int) -> int:
        key = path[depth - 1]
        if key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(items):
            return int(key)
        there = f"has {len(items)} items, counted from 0" if items else "is empty"
        above = _quoted(path[: depth - 1])
        raise EditError(f"There is no item {visible(key[:_MAX_QUOTED])}: the list {above} {there}.")

    def _no_such(self, path: list[str]) -> EditError:
        return EditError(f"There is no {_quoted(path)} in this event.", hint=self._hint(path))

    def _hint(self, path: list[str]) -> str:
        self._open_content()
        known = _paths(self._root)
        wanted = _joined(path)[:_MAX_QUOTED]
        same_leaf = [name for name in known if _leaf(name) == path[-1]]
        close = get_close_matches(wanted, known, n=3, cutoff=0.6)
        leaves = get_close_matches(path[-1][:_MAX_QUOTED], [_leaf(name) for name in known], n=3)
        related = [name for name in known if _leaf(name) in leaves]
        names = list(dict.fromkeys([*same_leaf, *close, *related]))[:3] or known[:8]
        shown = ", ".join(visible(name) for name in names)
        found = f"Nearest: {shown}. " if shown else ""
        return f"{found}PATH+=VALUE adds a new key."


def _assignment(text: str) -> tuple[list[str], Json, bool]:
    path, equals, value = text.partition("=")
    if not equals:
        hint = "For example content.publish_id=v_pub_file~1"
        raise EditError(f"{visible(text[:_MAX_QUOTED])!r} has no value: use PATH=VALUE.", hint=hint)
    adding = path.endswith("+")
    try:
        parsed = loads(value)
    except ValueError:
        parsed = value
    return _path(path.removesuffix("+")), parsed, adding


def _path(text: str) -> list[str]:
    parts = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", text.strip())]
    if not all(parts) or len(parts) > MAX_DEPTH:
        hint = "Keys with dots between them, such as content.publish_id"
        raise EditError(f"{visible(text[:_MAX_QUOTED])!r} is not a path.", hint=hint)
    return parts


def _joined(path: Sequence[str]) -> str:
    return ".".join(part.replace(".", "\\.") for part in path)


def _quoted(path: Sequence[str]) -> str:
    return visible(_joined(path)[:_MAX_QUOTED])


def _leaf(path: str) -> str:
    return re.split(r"(?<!\\)\.", path)[-1].replace("\\.", ".")


def _paths(root: Json) -> list[str]:
    """The paths of a value, outer ones first, at most `_MAX_NAMES`, over-long ones left out."""
    found: list[str] = []
    waiting: list[tuple[str, Json]] = [("", root)]
    for prefix, value in waiting:
        pairs: list[tuple[str, Json]] = []
        if isinstance(value, dict):
            pairs = [(_joined([key]), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            pairs = [(str(place), inner) for place, inner in enumerate(value)]
        for name, inner in pairs[:_MAX_NAMES]:
            path = f"{prefix}.{name}" if prefix else name
            if len(path) <= _MAX_QUOTED:
                found.append(path)
                waiting.append((path, inner))
        if len(found) >= _MAX_NAMES:
            break
    return found[:_MAX_NAMES]
