"""A file of deliveries opened for import: checked from end to end before any of it is stored."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from tiktok_hook.archive import har_places, har_reader
from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.fields import Fields, loads
from tiktok_hook.archive.har_places import Span
from tiktok_hook.archive.shapes import attempt_of, delivery_of
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import Json, why_not

T = TypeVar("T")

HINT = "Nothing was imported. The file has to be JSON Lines of tiktok-hook, or a HAR."

_OTHERS = {"ready", "tunnel", "app", "summary"}
"""Lines of ``listen --format json`` that are no deliveries."""

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class _Place:
    """Where a delivery stands in a file, or what it is, and likewise its attempts."""

    delivery: int | Span | Delivery
    attempts: list[int | Span | Attempt] = field(default_factory=list)


class Capture:
    """What a file holds; only the places are kept in memory.

    Attributes:
        deliveries: How many.
        attempts: How many belong to them.
        strays: Attempts of deliveries that the file does not hold; left out.
        others: Requests of a HAR that are no POST; left out.
    """

    def __init__(self, stream: BinaryIO, name: str, found: "_Places") -> None:
        self._stream = stream
        self._name = name
        self._places = found.places
        self.deliveries = len(found.places)
        self.attempts = sum(len(each.attempts) for each in found.places)
        self.strays = found.strays
        self.others = found.others

    def entries(self) -> Iterator[Entry]:
        """Every delivery with its attempts, in the order of the file.

        Raises:
            UsageError: The file is not any more what it was when it was checked.
        """
        for place in self._places:
            attempts = tuple(self._attempt(each) for each in place.attempts)
            yield Entry(self._delivery(place.delivery), attempts)

    def _delivery(self, place: int | Span | Delivery) -> Delivery:
        return place if isinstance(place, Delivery) else self._at(place, delivery_of, Delivery)

    def _attempt(self, place: int | Span | Attempt) -> Attempt:
        return place if isinstance(place, Attempt) else self._at(place, attempt_of, Attempt)

    def _at(self, place: int | Span, read: Callable[[Fields], T], kind: type[T]) -> T:
        try:
            if isinstance(place, Span):
                found = har_reader.entry_of(_entry_at(self._stream, place))
                if isinstance(found, kind):
                    return found
            else:
                self._stream.seek(place)
                return read(Fields(loads(self._stream.readline())))
        except ValueError:
            pass
        raise UsageError(f"{self._name} was changed meanwhile.", hint=HINT)


class _Places:
    """Deliveries in the order of a file, with the attempts that belong to each.

    An attempt may come before its delivery, as in what ``listen`` prints, and ids may come again
    where two files were put together: it belongs to the nearest one before it, else to the next.
    """

    def __init__(self) -> None:
        self.places: list[_Place] = []
        self.others = 0
        self._latest: dict[int, _Place] = {}
        self._waiting: dict[int, list[int | Span | Attempt]] = {}

    @property
    def strays(self) -> int:
        """Attempts without their delivery."""
        return sum(len(each) for each in self._waiting.values())

    def delivery(self, number: int | None, where: int | Span | Delivery) -> None:
        place = _Place(where)
        self.places.append(place)
        if number is not None:
            place.attempts = self._waiting.pop(number, [])
            self._latest[number] = place

    def attempt(self, number: int, where: int | Span | Attempt) -> None:
        place = self._latest.get(number)
        there = self._waiting.setdefault(number, []) if place is None else place.attempts
        there.append(where)


def load(stream: BinaryIO, name: str) -> Capture:
    """Check a whole file.

    Args:
        stream: Open for reading at its beginning, seekable, and kept open as long as the capture
            is used.
        name: What it is called in messages.

    Raises:
        UsageError: It is neither JSON Lines nor HAR, or some line cannot be used; the message
            tells which and why.
    """
    first = stream.readline()
    while first and not first.removeprefix(_BOM).strip():
        first = stream.readline()
    stream.seek(0)
    if not first:
        raise UsageError(f"{name} is empty.", hint=HINT)
    found = _read_har(stream, name) if _begins_har(first) else _read_lines(stream, name)
    if not found.places:
        what = "no POST request" if found.others else "no delivery"
        raise UsageError(f"{name} holds {what}.", hint=HINT)
    return Capture(stream, name, found)


def _begins_har(first: bytes) -> bool:
    """Whether a file with this first line is one document rather than a line for each delivery."""
    try:
        value = loads(first.removeprefix(_BOM))
    except ValueError:
        # A document over several lines begins with a brace and not much more.
        return first.removeprefix(_BOM).lstrip()[:1] == b"{" and b'"type"' not in first
    return isinstance(value, dict) and "log" in value


def _read_lines(stream: BinaryIO, name: str) -> _Places:
    found = _Places()
    offset = 0
    for number, raw in enumerate(stream, 1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        here = offset + len(raw) - len(line)
        offset += len(raw)
        if not line.strip():
            continue
        try:
            _read_line(loads(line), here, found)
        except ValueError as error:
            raise UsageError(
                f"{name}, line {number}: {why_not(error, line=False)}.", hint=HINT
            ) from None
    return found


def _read_line(value: Json, offset: int, found: _Places) -> None:
    fields = Fields(value)
    kind = fields.text("type", "delivery")
    if kind == "delivery":
        found.delivery(delivery_of(fields).imported_id, offset)
        nested = [attempt_of(Fields(each, "attempts")) for each in fields.list("attempts")]
        found.places[-1].attempts.extend(nested)
    elif kind == "attempt":
        found.attempt(attempt_of(fields).delivery_id, offset)
    elif kind not in _OTHERS:
        raise ValueError(f"type is {kind[:40]!r}, not delivery or attempt")


def _read_har(stream: BinaryIO, name: str) -> _Places:
    def fail(entry: int, reason: str) -> UsageError:
        where = f"{name}, entry {entry} of the HAR" if entry else name
        return UsageError(f"{where}: {reason}.", hint=HINT)

    spans = har_places.find(stream)
    if spans is not None:
        found = _Places()
        for number, span in enumerate(spans, 1):
            try:
                entry = _entry_at(stream, span)
            except ValueError:
                break  # not JSON: the whole is read to tell the line
            try:
                _sort(har_reader.entry_of(entry), found, span)
            except ValueError as error:
                raise fail(number, str(error)) from None
        else:
            return found
    stream.seek(0)
    try:
        document = loads(stream.read().removeprefix(_BOM))
    except json.JSONDecodeError as error:
        reason = f"{name}, line {error.lineno}: {why_not(error, line=False)}."
        raise UsageError(reason, hint=HINT) from None
    except ValueError as error:
        raise fail(0, why_not(error, line=False)) from None
    found = _Places()
    for each in har_reader.read(document, fail):
        _sort(each, found, None)
    return found


def _entry_at(stream: BinaryIO, span: Span) -> Fields:
    stream.seek(span.offset)
    return Fields(loads(stream.read(span.length)))


def _sort(each: Delivery | Attempt | None, found: _Places, span: Span | None) -> None:
    """Put what an entry holds where it belongs: by its place in the file, if that is known."""
    if isinstance(each, Delivery):
        found.delivery(each.imported_id, span or each)
    elif isinstance(each, Attempt):
        found.attempt(each.delivery_id, span or each)
    else:
        found.others += 1
