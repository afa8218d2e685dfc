"""How values are written into columns and read back, the same for every backend."""

import json

import orjson

from tiktok_hook.delivery import Headers


def headers_text(headers: Headers) -> str:
    """Headers as JSON: ``[[name, value], ...]``."""
    try:
        return orjson.dumps(headers).decode()
    except TypeError:  # a lone surrogate
        return json.dumps(headers)


def headers_of(text: str) -> Headers:
    """What `headers_text` was given."""
    try:
        pairs = orjson.loads(text)
    except orjson.JSONDecodeError:
        pairs = json.loads(text)
    return tuple((name, value) for name, value in pairs)


def spellings(text: str) -> list[str]:
    """A text to search for, and how it reads inside JSON and inside JSON within a JSON string."""
    found = [text]
    for ascii_only in (False, True):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        found += [once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]]
    return [each for each in dict.fromkeys(found) if each.isprintable()] or [text]


def is_glob(name: str) -> bool:
    """Whether an event name of a filter stands for several."""
    return any(each in "*?[" for each in name)
