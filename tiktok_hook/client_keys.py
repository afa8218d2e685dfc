"""The shapes of client keys. Seen in many public configurations; TikTok documents none of them."""

import re
from typing import Literal

Environment = Literal["sandbox", "production", "business"]

_SHAPES: dict[Environment, re.Pattern[str]] = {
    "sandbox": re.compile(r"sbaw[0-9a-z]{14}"),
    "production": re.compile(r"aw[0-9a-z]{14}"),
    "business": re.compile(r"[0-9]+"),
}


def environment(client_key: str) -> Environment | None:
    """Return the kind of app whose client key this is; None if it looks like none of them."""
    return next((name for name, shape in _SHAPES.items() if shape.fullmatch(client_key)), None)
