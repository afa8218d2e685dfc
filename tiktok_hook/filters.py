r"""The filter language: which deliveries a route, an answer rule, a command or a search is about.

A filter is one or more terms with blanks between them, all of which must match:

    post.publish.*              the event's name; ``*``, ``?`` and ``[abc]`` are wildcards
    user:OPEN_ID                this ``user_openid`` exactly
    key:CLIENT_KEY              this ``client_key`` exactly
    content.NAME:GLOB           a value of ``content``; ``content.items.0.id:7*`` reaches deeper

A value with blanks is written in double quotes, ``content.reason:"video pull *"``; inside them
``\"`` is a quote and ``\\`` a backslash. Case counts. ``else``, alone, is the filter of the last
route only. What is not an event matches no filter but ``else``.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from functools import lru_cache
from typing import Literal

from tiktok_hook import events
from tiktok_hook.delivery import Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.events import Event, Json
from tiktok_hook.exact_json import dumps
from tiktok_hook.sanitize import visible

MAX_CHARS = 4_000
"""The longest filter that is read."""

MAX_TERMS = 20
"""Maximum number of terms of a filter."""

MAX_COMPARED_CHARS = 16_384
"""The longest text that is compared with a glob: comparing takes up to its length times the glob's.
TikTok's deliveries are shorter."""

_MIN_COST = 16
"""How many characters each value inside an object or a list costs, besides its own."""

TermField = Literal["event", "user", "key", "content"]

ELSE = "else"

FORMS = ("user:OPEN_ID", "key:CLIENT_KEY", "content.NAME:GLOB")
"""The terms other than an event's name, for messages and documentation."""

_FORMS = f"A term is an event such as post.publish.*, {', '.join(FORMS[:-1])} or {FORMS[-1]}."
_BLANKS = re.compile(r"\s+")
_PREFIX = re.compile(r'[^\s":]*:')
_BARE = re.compile(r'[^\s"]*')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_EVENT = re.compile(r"(?:[\w.\-/*?]|\[!?\]?[^\]\s]*\])+")
_LETTER = re.compile(r"[^\W\d]|[*?]")
_WORDS = {"and", "or", "not", ELSE}
_NAMES_OF_FIELDS = {
    "user_openid": "user:",
    "openid": "user:",
    "open_id": "user:",
    "client_key": "key:",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a filter.

    Attributes:
        field: What is compared.
        value: A glob for ``event`` and ``content``, the exact text for ``user`` and ``key``.
        path: The keys that lead to a value of ``content``; empty for the other fields.
    """

    field: TermField
    value: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.field == "event":
            return self.value if _is_event(self.value) else _in_quotes(self.value)
        name = self.field
        plain = self.value != "" and _BARE.fullmatch(self.value) is not None
        if self.field != "content":
            plain = plain and not any(each in self.value for each in "*?")
        keys = "".join("." + key.replace(".", "\\.") for key in self.path)
        return f"{name}{keys}:{self.value if plain else _in_quotes(self.value)}"

    @property
    def globs(self) -> tuple[str, ...]:
        """What an event's name is compared with: one of them matches it."""
        return events.spellings(self.value) if self.field == "event" else ()

    def matches(self, event: Event) -> bool:
        """Whether an event meets the condition."""
        if self.field == "event":
            return matches_any(event.name, self.globs)
        if self.field == "user":
            return event.user_openid == self.value
        if self.field == "key":
            return event.client_key == self.value
        values = _values(event.content, self.path)
        if _is_any(self.value):
            return any(True for _ in values)
        return any(_is_short(each) and matches_any(_text(each), (self.value,)) for each in values)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """A filter that was read by `parse`; its text, again readable, is ``str(filter)``.

    Attributes:
        terms: All of them must match; empty for ``else``.
    """

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms)) or ELSE

    @property
    def is_else(self) -> bool:
        """Whether it takes what no other filter matched."""
        return not self.terms

    def matches(self, delivery: Delivery) -> bool:
        """Whether a delivery meets all conditions; always True for ``else``."""
        return self.matches_event(delivery.event)

    def matches_event(self, event: Event | None) -> bool:
        """Whether an event meets all conditions; None stands for what is not an event."""
        if event is None:
            return self.is_else
        return all(term.matches(event) for term in self.terms)


def parse(text: str, *, else_allowed: bool = False) -> DeliveryFilter:
    """Read a filter as people write it.

    Args:
        text: Terms with blanks between them.
        else_allowed: Whether ``else`` may be the filter; it is for the last route.

    Raises:
        UsageError: The text is empty or a part of it is not a term; the hint names the nearest.
    """
    if len(text) > MAX_CHARS:
        raise UsageError(
            f"A filter has {len(text):,} characters; at most {MAX_CHARS:,} are read.", hint=_SHORTER
        )
    if not text.strip():
        raise UsageError("The filter is empty.", hint=f"{_FORMS} No filter matches everything.")
    if text.strip() == ELSE:
        if else_allowed:
            return DeliveryFilter()
        raise UsageError(
            "`else` is the filter of the last route only.", hint="Leave it out to match everything."
        )
    terms = tuple(_terms(text))
    if len(terms) > MAX_TERMS:
        raise UsageError(
            f"A filter has {len(terms):,} terms; at most {MAX_TERMS} are read.", hint=_SHORTER
        )
    return DeliveryFilter(terms)


def doubts(found: DeliveryFilter) -> Iterator[tuple[str, str]]:
    """What is probably mistyped in a filter: a sentence and a hint for each.

    TikTok may send events that the catalogue does not have, so these are not errors.
    """
    for term in found.terms:
        if term.field == "event" and not events.fits_known(term.value):
            near = events.nearest(term.value.strip("*?."))
            if term.value.startswith("content."):
                hint = f"A value of content is written {visible(term.value)}:GLOB."
            else:
                hint = f"Did you mean {' or '.join(near)}?" if near else _LIST
            yield f"{visible(str(term))} matches no known event.", hint


_SHORTER = "A wildcard covers several events or values: post.publish.*"

_LIST = "tiktok-hook trigger lists the known events."


def matches_any(text: str, globs: tuple[str, ...]) -> bool:
    """Whether a text as a whole matches one of the globs; case counts.

    ``*`` is any text, ``?`` one character, ``[abc]`` and ``[a-z]`` one of these, ``[!abc]`` none of
    these; a bracket that is never closed is itself. A text longer than `MAX_COMPARED_CHARS` matches
    ``*`` only.
    """
    if len(text) > MAX_COMPARED_CHARS:
        return any(map(_is_any, globs))
    return any(_matcher(glob)(text) for glob in globs)


@lru_cache(256)
def _matcher(glob: str) -> Callable[[str], re.Match[str] | None]:
    # What `translate` writes backtracks no further than one wildcard, however many there are.
    return re.compile(translate(glob)).match


def _terms(text: str) -> Iterator[Term]:
    """Read the terms one after the other; each ends at a blank outside quotes."""
    at = 0
    while at < len(text):
        if found := _BLANKS.match(text, at):
            at = found.end()
            continue
        prefix = _PREFIX.match(text, at)
        start = at if prefix is None else prefix.end()
        quoted = _QUOTED.match(text, start)
        bare = _BARE.match(text, start)
        if quoted is None and text[start : start + 1] == '"':
            raise UsageError(
                f"The quote in {_shown(text[at:])} is never closed.",
                hint='A value with blanks: content.reason:"video pull *"',
            )
        value = quoted or bare
        assert value is not None  # `bare` may be empty, but always matches
        word = text[at : value.end()]
        if value.end() < len(text) and not text[value.end()].isspace():
            raise UsageError(
                f"A quote is in the middle of {_shown(text[at:].split(maxsplit=1)[0])}.",
                hint='Double quotes enclose a whole value; a quote inside them is written \\".',
            )
        literal = re.sub(r"\\([\"\\])", r"\1", quoted[1]) if quoted else value[0]
        yield _term(word, None if prefix is None else prefix[0][:-1], literal, bool(quoted))
        at = value.end()


def _term(word: str, prefix: str | None, value: str, quoted: bool) -> Term:  # noqa: FBT001 - its own module
    if prefix is None:
        if quoted and value:
            return Term("event", value)
        _require_event(word)
        return Term("event", value)
    if not value and not quoted and prefix in {"user", "key"}:
        raise UsageError(
            f"{prefix}: has no value.", hint=f'{prefix}:"" matches one that was sent empty.'
        )
    if prefix in {"user", "key"}:
        if not quoted and any(each in value for each in "*?"):
            raise UsageError(
                f"{_shown(word)} has a wildcard, and {prefix}: takes the whole value.",
                hint="Wildcards work in events and in content.NAME:GLOB.",
            )
        return Term("user" if prefix == "user" else "key", value)
    if prefix.startswith("content."):
        path = tuple(key.replace("\\.", ".") for key in re.split(r"(?<!\\)\.", prefix)[1:])
        if not all(path):
            raise UsageError(
                f"{_shown(prefix)} does not name a value of content.",
                hint="For example content.reason:spam_risk*",
            )
        if not value and not quoted:
            raise UsageError(
                f"{_shown(word)} has no value.", hint=f"{_shown(prefix)}:* matches any value."
            )
        return Term("content", value, path)
    raise UsageError(f"{_shown(word)} is not a term of a filter.", hint=_nearest(prefix, value))


def _is_event(word: str) -> bool:
    """Whether a word without quotes may be meant as an event's name."""
    readable = _EVENT.fullmatch(word) and _LETTER.search(word)
    return bool(readable) and not word.startswith("-") and word.lower() not in _WORDS


def _require_event(word: str) -> None:
    if _is_event(word):
        return
    name, equals, value = word.partition("=")
    if word.lower() == ELSE:
        hint = "`else` is the filter of the last route, alone and in lower case."
    elif word.lower() in _WORDS:
        hint = "All terms must match, and there is no other way to combine them."
    elif equals:
        hint = _nearest(name, value)
    elif "," in word:
        hint = "All terms must match; a wildcard covers several events: post.publish.*"
    elif "'" in word:
        hint = 'A value with blanks is in double quotes: content.reason:"video pull *"'
    elif word.startswith(("!", "-")):
        hint = "A filter cannot exclude anything."
    else:
        hint = f"{_FORMS} Double quotes take any text as an event's name."
    raise UsageError(f"{_shown(word)} is not a term of a filter.", hint=hint)


def _nearest(prefix: str, value: str) -> str:
    """The hint for a field that a filter does not have."""
    if prefix in {"event", "events"} and value:
        return f"An event is written alone: {visible(value)}"
    if prefix == "content":
        return "Name a value of content: content.reason:spam_risk*"
    fields = {each.name for kind in events.CATALOGUE.values() for each in kind.fields}
    known = {
        **_NAMES_OF_FIELDS,
        "user": "user:",
        "key": "key:",
        **{name: f"content.{name}:" for name in fields},
        **{f"content.{name}": f"content.{name}:" for name in fields},
    }
    near = get_close_matches(prefix.lower(), known, n=1, cutoff=0.7)
    return f"Did you mean {known[near[0]]}{visible(value)}?" if near else _FORMS


def _is_any(glob: str) -> bool:
    """Whether a glob matches every text."""
    return glob != "" and not glob.strip("*")


def _values(content: Json, path: tuple[str, ...]) -> Iterator[Json]:
    """The values to compare: of a list that is not too long, each item as well."""
    value = content
    for key in path:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key[:9]) < len(value):
            value = value[int(key[:9])]
        else:
            return
    yield value
    if isinstance(value, list) and _is_short(value):
        yield from value


def _is_short(value: Json) -> bool:
    """Whether a value is compared: its text, and the time for the values inside it, are bounded."""
    left = MAX_COMPARED_CHARS
    waiting = [value]
    while waiting and left >= 0:
        here = waiting.pop()
        if not isinstance(here, dict | list):
            left -= len(_text(here))
            continue
        left -= _MIN_COST * len(here)
        if left >= 0:
            waiting.extend(here.values() if isinstance(here, dict) else here)
            left -= sum(map(len, here)) if isinstance(here, dict) else 0
    return left >= 0


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dumps(value)


def _in_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _shown(text: str) -> str:
    return visible(text if len(text) <= 80 else text[:80] + "…")
