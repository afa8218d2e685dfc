"""Requests that other programs recorded, read leniently into deliveries.

`RecordedRequest` is what the readers of HAR, ngrok's and webhook.site's JSON have in common: they
fill it, and `entry_of` makes a delivery of it, with the recorded response as its attempt.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

from tiktok_hook import signature
from tiktok_hook.addresses import valid_url
from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.recorded_body import Evidence, Reading, RecordedBody, choose
from tiktok_hook.archive.shapes import imported_verdict
from tiktok_hook.delivery import Attempt, BodyState, Delivery, Headers, Source
from tiktok_hook.events import parse
from tiktok_hook.exact_json import Json
from tiktok_hook.signature import State, Verdict

KEPT_RESPONSE_BYTES = 1 << 20
"""How much of a recorded response body is imported."""

_UP_TO_PATH = re.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_JS_DATE = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2} \d{1,2} \d{4} \d\d:\d\d:\d\d) GMT([+-]\d{4})")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VERSION = re.compile(r"(?:https?/|h)([0-9])(?:\.([0-9]))?", re.IGNORECASE)
_LAST_DAY = 253_402_214_400


class UnusableError(ValueError):
    """An entry of a foreign file that cannot become a delivery; its text is the reason."""


@dataclass(slots=True, kw_only=True)
class RecordedResponse:
    """What the server answered, as far as it is recorded."""

    status: int | None = None
    headers: Headers = ()
    body: bytes = b""
    duration_ms: float | None = None


@dataclass(slots=True, kw_only=True)
class RecordedRequest:
    """A request as another program recorded it.

    Attributes:
        url: Absolute, or only a path.
        headers: Without HTTP/2's pseudo-headers.
        authority: ``:authority`` of HTTP/2; empty without one.
        http_version: As recorded, ``HTTP/1.1`` or ``h2``.
        at: Unix seconds; None when it is not recorded.
        remote_addr: Address of the client; empty when it is not recorded.
        readings: What its body may have been, see `recorded_body`.
        body_note: Why the body may be missing or different.
        recorded_size: Size of its body according to the file; None without one.
        sent_bytes: Length of the whole body where `readings` are known to be the start of it.
        response: None when none is recorded.
    """

    url: str
    headers: Headers = ()
    authority: str = ""
    http_version: str = ""
    at: float | None = None
    remote_addr: str = ""
    readings: Sequence[Reading] = ()
    body_note: str = ""
    recorded_size: int | None = None
    response: RecordedResponse | None = None
    method: str = "POST"
    _all: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """Value of the first header of a name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


def entry_of(
    request: RecordedRequest, *, secrets: Sequence[str] = (), file_time: float | None = None
) -> Entry:
    """The delivery of a recorded request, and an attempt with the recorded response.

    Args:
        request: As recorded.
        secrets: Client secrets, to find out which reading of the body was signed.
        file_time: When the file was written, in Unix seconds, for a request without a time.

    Raises:
        UnusableError: It has no URL.
    """
    path, query = _path_and_query(request.url)
    scheme = urlsplit(request.url).scheme.lower() if "://" in request.url else ""
    body = _body(request, secrets)
    at = request.at if request.at is not None else _time_of_content(request, body, file_time)
    verdict = imported_verdict()
    if body.state is not BodyState.EXACT:
        hint = "A recording of tiktok-hook listen contains the bytes as they were sent."
        verdict = Verdict(State.UNCHECKED, body.reason, hint)
    response = request.response
    delivery = Delivery(
        received_at=at,
        source=Source.IMPORT,
        remote_addr=request.remote_addr,
        method=request.method,
        path=path,
        query=query,
        http_version=version_of(request.http_version),
        scheme=scheme if scheme in {"http", "https"} else "",
        headers=_with_host(request),
        body=body.data,
        body_state=body.state,
        body_bytes=body.sent_bytes if (body.sent_bytes or 0) > len(body.data) else None,
        verdict=verdict,
        status=None if response is None else response.status,
    )
    return Entry(delivery, _attempts(request, delivery))


def _body(request: RecordedRequest, secrets: Sequence[str]) -> RecordedBody:
    header = request.header(signature.HEADER)
    coding = (request.header("Content-Encoding") or "").strip().lower()

    def verifies(data: bytes) -> bool:
        return signature.check(header, data, secrets, now=0.0).secret is not None

    return choose(
        request.readings,
        Evidence(
            content_length=content_length(request.headers),
            recorded_size=request.recorded_size,
            content_encoding="" if coding == "identity" else coding,
            has_body=header is not None or request.header("Content-Type") is not None,
            verifies=verifies if header and secrets else None,
        ),
        note=request.body_note,
    )


def content_length(headers: Headers) -> int | None:
    """The length that the headers give; the greatest if they contradict each other.

    A body that is shorter than one of them is then called incomplete, and not taken for whole.
    """
    texts = [text for name, text in headers if name.lower() == "content-length"]
    numbers = [each.strip() for text in texts for each in text.split(",")]
    known = [int(each) for each in numbers if each.isascii() and each.isdigit() and len(each) < 16]
    return max(known, default=None)


def _time_of_content(
    request: RecordedRequest, body: RecordedBody, file_time: float | None
) -> float:
    """When a request without a recorded time was made, as well as its content shows."""
    found = re.search(r"\bt=([0-9]{1,12})\b", request.header(signature.HEADER) or "")
    if found:
        return min(float(found[1]), _LAST_DAY - 1)
    event = parse(body.data) if body.data else None
    if event is not None and event.created_at is not None and 0 <= event.created_at < _LAST_DAY:
        return event.created_at
    return file_time if file_time is not None and 0 <= file_time < _LAST_DAY else 0.0


def _attempts(request: RecordedRequest, delivery: Delivery) -> tuple[Attempt, ...]:
    response = request.response
    if response is None or response.status is None:
        return ()
    url = request.url
    if "://" not in url:
        host = delivery.header("Host") or "localhost"
        url = f"{delivery.scheme or 'http'}://{host}{delivery.target}"
    return (
        Attempt(
            delivery_id=delivery.imported_id or 0,
            started_at=delivery.received_at,
            target=valid_url(url.partition("#")[0]),
            request_method=delivery.method,
            request_headers=delivery.headers,
            status=response.status,
            headers=response.headers,
            body=response.body[:KEPT_RESPONSE_BYTES],
            truncated=len(response.body) > KEPT_RESPONSE_BYTES,
            duration_ms=response.duration_ms or 0.0,
        ),
    )


def _with_host(request: RecordedRequest) -> Headers:
    """The headers with the host that HTTP/2 carries elsewhere."""
    if request.header("Host") is not None:
        return request.headers
    host = request.authority or urlsplit(request.url).netloc.rpartition("@")[2]
    if not host or not host.isascii():
        return request.headers
    return (("Host", host), *request.headers)


def _path_and_query(url: str) -> tuple[str, str]:
    """As in a request line, still percent-encoded."""
    after_host = _UP_TO_PATH.sub("", url, count=1)
    path, _, query = after_host.partition("#")[0].partition("?")
    path, query = (quote(part, safe=_SAFE, errors="surrogatepass") for part in (path, query))
    return path or "/", query


_SAFE = "".join(chr(each) for each in range(33, 127))


def version_of(text: str) -> str:
    """``1.1`` of ``HTTP/1.1``, ``2.0`` of ``h2`` and ``HTTP/2``; ``1.1`` for anything else."""
    found = _VERSION.fullmatch(text.strip())
    return f"{found[1]}.{found[2] or '0'}" if found else "1.1"


def time_of(value: Json) -> float | None:
    """Unix seconds of a time as programs write it; None for anything else.

    Understands RFC 3339 (UTC without an offset), JavaScript's ``Date`` as text, RFC 2822, and
    numbers of seconds or milliseconds.
    """
    moment: datetime | None = None
    seconds: float | None = None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        seconds = _float(value)
    elif isinstance(value, str):
        text = value.strip()
        try:
            if re.fullmatch(r"[0-9]{9,14}(\.[0-9]{1,9})?", text):
                seconds = float(text)
            elif found := _JS_DATE.match(text):
                moment = datetime.strptime(f"{found[1]} {found[2]}", "%b %d %Y %H:%M:%S %z")
            else:
                moment = _parsed(text)
        except (ValueError, OverflowError, TypeError):
            return None
    if moment is not None:
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        try:
            seconds = moment.timestamp()
        except (ValueError, OverflowError):
            return None
    if seconds is None:
        return None
    if seconds > 1e11:
        seconds /= 1000
    return seconds if 0 <= seconds < _LAST_DAY else None


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def status_of(value: Json) -> int | None:
    """An HTTP status; None for whatever programs write when there was no response."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 999:
        return None
    return value


def size_of(value: Json) -> int | None:
    """A number of bytes; None for -1, fractions and anything too large to be one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 48:
        return None
    return value


def headers_of(value: Json) -> tuple[Headers, str]:
    """Headers in any of the forms that programs write, and HTTP/2's ``:authority``.

    Objects with ``name`` and ``value``, pairs, or an object of names whose values are texts or
    lists. Values that are not ASCII become UTF-8, unless they already are one character per byte.
    """
    found: list[tuple[str, str]] = []
    authority = ""
    for name, text in _pairs(value):
        if name.lower() == ":authority":
            authority = text
        # Other programs also list things under names that no header can have.
        if not _TOKEN.fullmatch(name):
            continue
        found.append((name, _one_character_per_byte(text)))
    return tuple(found), authority


def _pairs(value: Json) -> Iterable[tuple[str, str]]:
    items: list[tuple[Json, Json]] = []
    if isinstance(value, dict):
        for key, each in value.items():
            items += [(key, one) for one in (each if isinstance(each, list) else [each])]
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                items.append((each.get("name", each.get("key")), each.get("value")))
            elif isinstance(each, list) and len(each) == 2:
                items.append((each[0], each[1]))
    for name, content in items:
        if not isinstance(name, str):
            continue
        if isinstance(content, str):
            yield name, content
        elif content is None:
            yield name, ""
        elif isinstance(content, int | float):
            yield name, str(content)


def _one_character_per_byte(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text.encode("utf-8", "surrogatepass").decode("latin-1")
    return text
