"""A file opened for import: read to its end and checked before any of it is stored."""

import fnmatch
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from tiktok_hook import signature
from tiktok_hook.addresses import url_of
from tiktok_hook.archive import document, file_formats, har_reader, request_logs, source_file
from tiktok_hook.archive.document import Records
from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.fields import Fields, loads
from tiktok_hook.archive.har_reader import OtherMethodError, Sibling
from tiktok_hook.archive.shapes import attempt_of, delivery_of
from tiktok_hook.delivery import Attempt, BodyState, Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.exact_json import Json, why_not
from tiktok_hook.terminal.words import plural

HINT = (
    "Nothing was imported. Importable are JSON Lines of tiktok-hook, HAR, the requests of ngrok's "
    "agent API and of webhook.site, and a request body with --header."
)

MAX_DIAGNOSES = 500
"""How many rejected signatures are diagnosed: each takes up to 20 ms."""

_OTHER_LINES = {"ready", "answer", "dropped", "tunnel", "app", "summary"}
"""Lines of ``listen --format json`` that are not deliveries."""

_OWN_KEYS = {"received_at", "verdict", "body", "body_base64", "id"}

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What to import of a file, and what is not in it.

    Attributes:
        urls: Globs of URLs; empty imports every URL.
        signed_only: Leave out requests without a Tiktok-Signature header.
        secrets: Client secrets that the signatures are checked with.
        headers: Headers of a request whose body is the whole file; None for any other file.
    """

    urls: Sequence[str] = ()
    signed_only: bool = False
    secrets: Sequence[str] = field(default=(), repr=False)
    headers: Sequence[tuple[str, str]] | None = None

    def includes(self, delivery: Delivery) -> bool:
        """Whether a delivery is to be imported."""
        if self.signed_only and delivery.header(signature.HEADER) is None:
            return False
        url = url_of(delivery)
        return not self.urls or any(fnmatch.fnmatchcase(url, glob) for glob in self.urls)


Record = Entry | Attempt | None
"""What a place of a file contains: a delivery, an attempt, or a line that is neither."""


@dataclass(slots=True)
class _Place:
    """Where in a file a delivery and its attempts are."""

    delivery: int
    attempts: list[int] = field(default_factory=list)
    own_attempts: int = 0
    included: bool = True


class Capture:
    """What a file contains. Only the places of its records are kept in memory.

    Attributes:
        deliveries: How many will be imported.
        attempts: How many belong to them.
        strays: Attempts whose delivery the file does not contain; left out.
        other_methods: Requests that are not POST by their method; left out.
        not_selected: Requests that the options leave out.
        unusable: Numbers of the entries that cannot be used, by the reason.
        body_states: Numbers of the entries whose body is not what was sent, by its state.
        is_cut: Whether the file ends in the middle, or what follows an entry cannot be read.
        undiagnosed: Rejected signatures beyond `MAX_DIAGNOSES`, counted by `entries`.
    """

    def __init__(
        self, read: Callable[[int], Record], name: str, found: "_Found", secrets: Sequence[str]
    ) -> None:
        self._read = read
        self._name = name
        self._places = [each for each in found.places if each.included]
        self._secrets = secrets
        self.deliveries = len(self._places)
        self.attempts = sum(len(each.attempts) + each.own_attempts for each in self._places)
        self.strays = found.strays
        self.other_methods = found.other_methods
        self.not_selected = len(found.places) - len(self._places)
        self.unusable = found.unusable
        self.body_states = found.body_states
        self.is_cut = found.is_cut
        self.undiagnosed = 0
        self._diagnosed = 0

    def entries(self) -> Iterator[Entry]:
        """Every delivery with its attempts, in the order of the file, checked with the secrets.

        Raises:
            UsageError: The file changed since it was checked, or can no longer be read.
        """
        for place in self._places:
            found = self._at(place.delivery)
            if not isinstance(found, Entry):
                raise self._changed()
            attempts = list(found.attempts)
            for each in map(self._at, place.attempts):
                if not isinstance(each, Attempt):
                    raise self._changed()
                attempts.append(each)
            yield Entry(self._checked(found.delivery), tuple(attempts))

    def _at(self, place: int) -> Record:
        try:
            return self._read(place)
        except (ValueError, OSError):
            raise self._changed() from None

    def _changed(self) -> UsageError:
        return UsageError(f"{self._name} changed while it was imported.", hint=HINT)

    def _checked(self, delivery: Delivery) -> Delivery:
        """The delivery with the verdict of the secrets; unchanged where its bytes are not exact."""
        secrets = self._secrets
        is_exact = delivery.has_whole_body and delivery.body_state is BodyState.EXACT
        if not secrets or not is_exact:
            return delivery
        header, now = delivery.header(signature.HEADER), delivery.received_at
        verdict = signature.check(header, delivery.body, secrets, now=now)
        if verdict.rejected and not verdict.hint:
            self._diagnosed += 1
            if self._diagnosed > MAX_DIAGNOSES:
                self.undiagnosed += 1
                return delivery.replace(verdict=verdict)
        verdict = signature.explain(
            verdict,
            header,
            delivery.body,
            secrets,
            now=now,
            headers=delivery.headers,
            method=delivery.method,
            target=delivery.target,
        )
        return delivery.replace(verdict=verdict)


class _Found:
    """Deliveries in the order of a file, with the attempts that belong to each.

    An attempt may come before its delivery, as in what ``listen`` prints, and ids may repeat where
    two files were concatenated: it belongs to the nearest delivery before it, otherwise to the
    next.
    """

    def __init__(self, options: ImportOptions) -> None:
        self.places: list[_Place] = []
        self.other_methods: Counter[str] = Counter()
        self.unusable: dict[str, list[int]] = {}
        self.body_states: dict[BodyState, list[int]] = {}
        self.is_cut = False
        self._options = options
        self._latest: dict[int, _Place] = {}
        self._waiting: dict[int, list[int]] = {}

    @property
    def strays(self) -> int:
        """Attempts without their delivery."""
        return sum(len(each) for each in self._waiting.values())

    def add(self, number: int, where: int, found: Record) -> None:
        """Note what is at a place; `number` is its number for messages."""
        if isinstance(found, Attempt):
            place = self._latest.get(found.delivery_id)
            waiting = self._waiting.setdefault
            (waiting(found.delivery_id, []) if place is None else place.attempts).append(where)
        elif found is not None:
            self._add_delivery(number, where, found)

    def _add_delivery(self, number: int, where: int, found: Entry) -> None:
        delivery = found.delivery
        included = self._options.includes(delivery)
        place = _Place(where, own_attempts=len(found.attempts), included=included)
        self.places.append(place)
        if included and delivery.body_state is not BodyState.EXACT:
            self.body_states.setdefault(delivery.body_state, []).append(number)
        if delivery.imported_id is not None:
            place.attempts += self._waiting.pop(delivery.imported_id, [])
            self._latest[delivery.imported_id] = place

    def omit(self, number: int, error: ValueError) -> None:
        if isinstance(error, OtherMethodError):
            self.other_methods[str(error).upper()[:20] or "no method"] += 1
        else:
            self.unusable.setdefault(str(error), []).append(number)


def load(
    stream: BinaryIO,
    name: str,
    options: ImportOptions = ImportOptions(),
    *,
    sibling: Sibling = lambda _: None,
    file_time: float | None = None,
) -> Capture:
    """Read and check a file to its end.

    Args:
        stream: Open for reading at its beginning, seekable, and kept open while the capture is
            used.
        name: What it is called in messages.
        options: What to import of it.
        sibling: Reads files of its folder, by their relative names; None when it cannot.
        file_time: When it was written, in Unix seconds.

    Raises:
        UsageError: It is in no format that can be imported, or nothing of it can be; the message
            names what it is, or the place and the reason.
    """
    try:
        return _load(stream, name, options, sibling, file_time)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}.", hint=HINT) from error


def _load(
    stream: BinaryIO,
    name: str,
    options: ImportOptions,
    sibling: Sibling,
    file_time: float | None,
) -> Capture:
    if options.headers is not None:
        found = _Found(options)
        data = source_file.read_all(stream, name)
        entry = request_logs.of_body(data, options.headers, options.secrets, file_time)
        found.add(1, 0, entry)
        return _capture(lambda _: entry, name, found, options)
    stream, sibling = source_file.unpacked(stream, name, sibling)
    head = stream.read(4096)
    stream.seek(0)
    if not head.removeprefix(_BOM).strip() and _is_blank(stream):
        raise UsageError(f"{name} is empty.", hint=HINT)
    stream.seek(0)
    if kind := file_formats.of_bytes(head):
        raise UsageError(f"{name} is {kind.name}.", hint=kind.hint or HINT)
    if _is_lines(stream):
        _require_own_lines(stream, name)
        found = _read_lines(stream, name, options)
        return _capture(partial(_line_at, stream), name, found, options)
    return _load_document(stream, name, options, sibling, file_time)


def _capture(
    read: Callable[[int], Record], name: str, found: _Found, options: ImportOptions
) -> Capture:
    capture = Capture(read, name, found, options.secrets)
    if capture.deliveries:
        return capture
    if capture.not_selected:
        count = plural(capture.not_selected, "request")
        raise UsageError(
            f"{name} has {count}, and none matches the options.",
            hint="Nothing was imported. Check --url and --signed-only.",
        )
    if capture.unusable:
        reason, numbers = next(iter(capture.unusable.items()))
        more = sum(map(len, capture.unusable.values())) - 1
        others = f" (and {plural(more, 'more entry', 'more entries')})" if more else ""
        raise UsageError(
            f"{name}: entry {numbers[0]} cannot be used: {reason}{others}.",
            hint="Nothing was imported.",
        )
    if capture.other_methods:
        total = plural(sum(capture.other_methods.values()), "request")
        methods = ", ".join(capture.other_methods)
        which = (
            f"all {methods}"
            if len(capture.other_methods) == 1
            else f"none of them POST ({methods})"
        )
        raise UsageError(
            f"{name} has {total}, {which}.",
            hint="Nothing was imported. TikTok sends POST requests.",
        )
    raise UsageError(f"{name} contains no delivery.", hint=HINT)


def _is_blank(stream: BinaryIO) -> bool:
    """Whether nothing but blanks is left of a stream."""
    return not any(piece.strip() for piece in iter(lambda: stream.read(1 << 20), b""))


def _is_lines(stream: BinaryIO) -> bool:
    """Whether the file is JSON Lines rather than one document; the stream is rewound."""
    first = stream.readline(1 << 20)
    while first and not first.removeprefix(_BOM).strip():
        first = stream.readline(1 << 20)
    more = stream.read(4096).strip()
    stream.seek(0)
    first = first.removeprefix(_BOM).strip()
    try:
        value = loads(first)
    except ValueError:
        # A cut line of ours, or a line of text before others: not the start of a document.
        return first.startswith(b'{"type"') or not first.startswith((b"{", b"["))
    if not isinstance(value, dict) or "log" in value:
        return False
    if more:
        return True
    return value.get("type") in {"delivery", "attempt", *_OTHER_LINES} or "received_at" in value


def _require_own_lines(stream: BinaryIO, name: str) -> None:
    """Name JSON Lines of another program; the stream is rewound."""
    first = stream.readline(1 << 20).removeprefix(_BOM)
    stream.seek(0)
    try:
        value = loads(first)
    except ValueError:
        return
    if isinstance(value, dict) and value and not value.keys() & {"type", *_OWN_KEYS}:
        kind = file_formats.of_json(value)
        raise UsageError(f"{name}: its first line {kind.name}.", hint=kind.hint or HINT)


def _ends_early(error: ValueError) -> bool:
    """Whether more text could have made a JSON document valid."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc.rstrip())


def _read_lines(stream: BinaryIO, name: str, options: ImportOptions) -> _Found:
    found = _Found(options)
    offset = 0
    number = 0
    while raw := stream.readline(source_file.MAX_BYTES + 1):
        number += 1
        if len(raw) > source_file.MAX_BYTES:
            limit = source_file.MAX_BYTES >> 20
            raise UsageError(f"{name}, line {number} is longer than {limit} MiB.", hint=HINT)
        line = raw.removeprefix(_BOM) if number == 1 else raw
        here = offset + len(raw) - len(line)
        offset += len(raw)
        if not line.strip():
            continue
        try:
            found.add(number, here, _of_line(loads(line)))
        except ValueError as error:
            raise UsageError(
                f"{name}, line {number}: {why_not(error, line=False)}.", hint=HINT
            ) from None
    return found


def _line_at(stream: BinaryIO, offset: int) -> Record:
    stream.seek(offset)
    return _of_line(loads(stream.readline()))


def _of_line(value: Json) -> Record:
    fields = Fields(value)
    kind = fields.text("type", "delivery")
    if kind == "delivery":
        attempts = tuple(attempt_of(Fields(each, "attempts")) for each in fields.list("attempts"))
        return Entry(delivery_of(fields), attempts)
    if kind == "attempt":
        return attempt_of(fields)
    if kind in _OTHER_LINES:
        return None
    raise ValueError(f"type is {kind[:40]!r}, not delivery or attempt")


def _load_document(
    stream: BinaryIO,
    name: str,
    options: ImportOptions,
    sibling: Sibling,
    file_time: float | None,
) -> Capture:
    data = source_file.read_all(stream, name)
    try:
        text = document.compact_text(data)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text.", hint=HINT) from None
    del data
    found = _Found(options)
    try:
        kind, records = _recognised(document.outline(text), name)
    except RecursionError:
        raise UsageError(f"{name}: nested too deep.", hint=HINT) from None
    except ValueError as error:
        if str(error).startswith("Extra data"):
            raise UsageError(
                f"{name} has more than one JSON document.", hint="Import each in a file of its own."
            ) from None
        readable = document.readable_entries(text)
        if readable is None:
            if _ends_early(error):
                raise UsageError(
                    f"{name} ends in the middle of its JSON, before a complete request.", hint=HINT
                ) from None
            line = getattr(error, "lineno", None)
            where = name if line is None else f"{name}, line {line}"
            reason = why_not(error, line=False)
            raise UsageError(f"{where}: {reason}.", hint=HINT) from None
        kind = "har"
        records, has_end = readable
        found.is_cut = not has_end
    if not records.length:
        raise UsageError(f"{name} has no entries.", hint="Nothing was imported.")
    records.clear()  # they are read from the text again
    secrets = options.secrets
    readers: dict[str, Callable[[Json], Record]] = {
        "har": partial(har_reader.entry, secrets=secrets, sibling=sibling, file_time=file_time),
        "lines": _of_line,
        "ngrok": partial(request_logs.of_ngrok, secrets=secrets, file_time=file_time),
        "webhook.site": partial(request_logs.of_webhook_site, secrets=secrets, file_time=file_time),
    }
    read = readers[kind]
    for number, (at, value) in enumerate(document.elements(text, records), 1):
        try:
            if isinstance(value, ValueError):
                raise value
            found.add(number, at, read(value))
        except ValueError as error:
            found.omit(number, error)
    return _capture(lambda at: read(document.element(text, at)), name, found, options)


def _recognised(value: Json, name: str) -> tuple[str, Records]:
    found = file_formats.entries_of(value)
    if found is not None:
        kind, entries = found
        if isinstance(entries, Records):
            return kind, entries
        # The document itself is the only record, or its log has none.
        only = Records(0)
        only.length = len(entries)
        return kind, only
    kind_of_file = file_formats.of_json(value)
    raise UsageError(f"{name} {kind_of_file.name}.", hint=kind_of_file.hint or HINT)
