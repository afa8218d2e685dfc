"""What is posted at an app in a test, and what it answers."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HOST = "testserver"
"""What apps are called by in tests, and what Django's test settings allow."""


class ResponseHeaders(Mapping[str, str]):
    """Headers by name, whatever its case; a repeated one's values are joined by a comma."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._found: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            first = self._found.get(name.lower())
            joined = value if first is None else f"{first[1]}, {value}"
            self._found[name.lower()] = (name, joined)

    def __getitem__(self, name: str) -> str:
        return self._found[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._found

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(frozen=True, slots=True)
class Posted:
    """One POST to an app.

    Attributes:
        path: With the query, if there is one.
        headers: Without ``Host`` and ``Content-Length``, unless they were set.
        body: Exactly the bytes to send.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What an app answered.

    Attributes:
        status: TikTok takes 200 alone for success.
        headers: By name, whatever its case.
        body: Its bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)
