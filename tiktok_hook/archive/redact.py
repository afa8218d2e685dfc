"""Pseudonyms for what identifies users and apps: ids, client keys, credentials, addresses.

The same value gets the same pseudonym everywhere in one export, of the same form, so that what
belongs together still does. Values are learned where their keys or headers show what they are, and
then replaced wherever they occur, in every encoding that `redact_text` knows. Apart from that no
byte of a body changes.

Not covered: e-mail addresses, names, handles and other personal data under keys that are not in the
lists below; post, publish and order ids; host names and paths of targets; values in other letter
case, in UTF-16, base32 or base85, compressed otherwise than by gzip and zlib, encrypted or hashed;
values below more layers than `redact_text` decodes; values of fewer than 4 characters, and of fewer
than 6 digits, outside of their keys; credentials under names that do not show what they are.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from tiktok_hook.archive.entry import Entry
from tiktok_hook.archive.fields import lenient_decoder
from tiktok_hook.archive.redact_text import MAX_NESTING, Matcher, inflated, replaced, views
from tiktok_hook.delivery import Attempt, Delivery, Headers
from tiktok_hook.events import CATALOGUE
from tiktok_hook.exact_json import Json

_LIST = r"(?:s|_?(?:list|array|set))?"
_USER_KEYS = (
    r"(?:\w*_)?(?:open_?id|union_?id|user_?(?:open_?)?id"
    r"|(?:creator|sender|recipient|receiver|author|owner|customer|advertiser|business)_?id"
    r"|user_?name|uid|unique_?(?:identifier|name\w*)|open_id_of_\w+)" + _LIST
)
_APP_KEYS = r"(?:\w*_)?client_?(?:key|id)"
_CREDENTIAL_KEYS = (
    r"(?:\w*_)?(?:token|api_?key|(?:private|access|signing|encryption)_?key(?:_?id)?|secret"
    r"|password|passwd|pwd|passphrase|passcode|sig|signature|hmac|jwt|bearer|csrf|xsrf|otp|cookie"
    r"|authorization|session(?:_?id)?|sid|credential)" + _LIST
)
_SECRET_PARAMETERS = rf"(?:{_CREDENTIAL_KEYS}|key|auth|code|access)"
"""Keys in ``snake_case``, into which `_kind_of` converts all others."""

_USER = re.compile(_USER_KEYS, re.IGNORECASE)
_APP = re.compile(_APP_KEYS, re.IGNORECASE)
_SECRET = re.compile(_CREDENTIAL_KEYS, re.IGNORECASE)
_SECRET_PARAMETER = re.compile(_SECRET_PARAMETERS, re.IGNORECASE)
_ADDRESS_KEY = re.compile(r"(?:\w*_)?(?:ip(?:_?addr(?:ess)?)?|remote_?addr)" + _LIST, re.IGNORECASE)
_IN_CAMEL_CASE = re.compile("(?<=[a-z0-9])(?=[A-Z])")

_JSON_KEY = re.compile(rb'"([A-Za-z][A-Za-z0-9_-]{1,40})"\s*:\s*')
_JSON_VALUE = re.compile(
    rb'"(?P<text>(?:[^"\\]|\\.)*+)(?:"|\Z)|(?P<number>-?[0-9]+)(?![0-9.eE])', re.DOTALL
)
"""A key and its value in JSON; a text may end where a body was cut."""

_FORM_KEY = re.compile(rb"(?<![A-Za-z0-9_])([A-Za-z][A-Za-z0-9_-]{1,40})=")
_FORM_VALUE = re.compile(rb"[^&\s\"';,<>#]+")
"""A key and its value in a query or a form; a value may hold further pairs."""

_LABELLED = re.compile(
    rb"(?<![A-Za-z0-9_-])([A-Za-z][A-Za-z0-9_-]{1,40})[\"'`\]]{0,2}[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}"
    rb"[\"'`]?([^\s\"'`&;,<>(){}\[\]]{6,512})"
)
"""A key and its value as programs print them: ``open_id: v``, ``'open_id': 'v'``, ``[uid]=v``."""

_MIN_LABELLED_SECRET = 12
_MAX_NESTING_VALUE = 512

_ELEMENT = re.compile(
    rb"<(?:[\w-]{1,40}:)?([A-Za-z][\w-]{1,40})(?:\s[^<>]{0,200})?>(?:<!\[CDATA\[)?([^<>\]]{4,512})"
)
_FORM_PART = re.compile(
    rb"name=\"([A-Za-z][\w-]{1,40})\"[^\r\n]{0,200}\r?\n(?:[^\r\n]{1,200}\r?\n){0,5}\r?\n"
    rb"([^\r\n]{4,512})"
)
"""A key and its value as an element of XML, and as a part of a multipart form."""

_DIGEST = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{64}(?![0-9A-Za-z])")
_TIKTOK_SIGNATURE = re.compile(r"\s*(?:[ts]=[0-9a-fA-F]*,?\s*)+")
_ADDRESS = re.compile(
    rb"(?<![0-9A-Za-z.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]{0,45}:[0-9A-Fa-f:.]+)"
)
_SECRETIVE_HEADER = re.compile(
    r"signature|auth(?!ority|enticate$)|cookie|token|secret|api-?key|pass(?:word|wd|code|phrase)"
    r"|session|credential|csrf|xsrf|jwt|oidc|bearer|(?:forwarded|remote)-user$"
    r"|(?:^|-)(?:key|sig|sid|pwd|pat|otp|access)$",
    re.IGNORECASE,
)
_ADDRESS_HEADER = re.compile(
    r"forwarded(?!-(?:host|proto|port|ssl|server|prefix))|(?:client|real|connecting|remote|cluster"
    r"|originating|peer|user|source|true|socket|external)-?(?:client-?)?-?(?:ip|addr)"
    r"|^via$|(?:^|-)(?:ips?|ipv[46]|addr(?:ess)?)$",
    re.IGNORECASE,
)

_RESERVED = {
    name.encode()
    for kind in CATALOGUE.values()
    for name in (kind.name, *re.findall(r"[a-z_]{4,}", str(kind.sample)))
} | {
    b"client_key", b"event", b"create_time", b"user_openid", b"content", b"user_id", b"open_id",
    b"union_id", b"creator_id", b"username", b"user", b"token", b"secret", b"session", b"cookie",
    b"signature", b"authorization", b"password", b"bearer", b"basic", b"json", b"http", b"https",
    b"true", b"false", b"null", b"none", b"undefined", b"tiktok", b"localhost", b"application",
}  # fmt: skip
"""Words of the protocol: a stranger who calls himself so must not have them replaced everywhere."""

_MIN_DIGITS = 6
_MAX_VALUE = 4096
_MAX_DEPTH = 50

Find = Iterator[tuple[int, int, bytes]]


class Redactor:
    """Assigns pseudonyms and puts them in the place of what they stand for.

    Call `learn` with every entry before `entry`: a value may occur before the delivery whose keys
    show what it is.
    """

    def __init__(self) -> None:
        self._pseudonyms: dict[bytes, bytes] = {}
        self._counts = {"user": 0, "app": 0, "secret": 0, "digest": 0, "address": 0}
        self._digests: dict[bytes, bytes] = {}
        self._addresses: dict[str, str] = {}
        self._masks: dict[bytes, bytes] = {}
        self._matcher: Matcher | None = None

    def learn(self, entry: Entry) -> None:
        """Note every value of a delivery and its attempts that is to be replaced."""
        delivery = entry.delivery
        self._matcher = None
        self._learn_addresses(delivery.remote_addr)
        self._learn_headers(delivery.headers)
        for text in (delivery.path, delivery.query):
            self._learn_text(_bytes(text))
        self._learn_text(delivery.body)
        self._learn_names(delivery)
        for attempt in entry.attempts:
            self._learn_headers(attempt.request_headers)
            self._learn_headers(attempt.headers)
            self._learn_text(_bytes(attempt.target))
            self._learn_text(attempt.request_body or b"")
            self._learn_text(attempt.body)

    def entry(self, entry: Entry) -> Entry:
        """The same delivery and attempts, under pseudonyms."""
        return Entry(
            self._delivery(entry.delivery),
            tuple(self._attempt(each) for each in entry.attempts),
            entry.of_others,
        )

    # Learning.

    def _learn_headers(self, headers: Headers) -> None:
        for name, value in headers:
            if _ADDRESS_HEADER.search(name):
                self._learn_addresses(value)
            if _SECRETIVE_HEADER.search(name):
                for secret in _credentials_in(name, value):
                    self._learn_secret(_bytes(secret))
            self._learn_text(_bytes(value))

    def _learn_addresses(self, text: str) -> None:
        for found in _ADDRESS.finditer(_bytes(text)):
            self._address(found[0].decode("latin-1"), learn=True)

    def _learn_text(self, data: bytes) -> None:
        for nesting in range(MAX_NESTING):
            data = inflated(data, nesting=nesting) or data
        if not data:
            return
        try:
            value: Json = lenient_decoder.decode(data.decode())
        except (ValueError, RecursionError):
            pass
        else:
            self._learn_json(value, 0)
        for view in views(data):
            for key, found in _in_json(view.data):
                number = found["number"]
                self._learn_value(key, _json_text(found["text"]) if number is None else number)
            for key, found in _form(view.data):
                self._learn_value(key, unquote_to_bytes(found[0]))
            for pattern in (_ELEMENT, _FORM_PART):
                for found in pattern.finditer(view.data):
                    self._learn_value(found[1], found[2].strip())
            for found in _LABELLED.finditer(view.data):
                if _is_labelled(found[1], found[2]):
                    self._learn_value(found[1], found[2])

    def _learn_json(self, value: Json, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return
        if isinstance(value, dict):
            for key, inner in value.items():
                raw = key.encode("utf-8", "surrogatepass")
                if _kind_of(raw) is not None:
                    for scalar in _scalars(inner, nested=False):
                        self._learn_value(raw, scalar)
                elif isinstance(inner, str) and _ADDRESS_KEY.fullmatch(_in_snake_case(key)):
                    self._learn_addresses(inner)
                self._learn_json(inner, depth + 1)
            self._learn_pair(value)
        elif isinstance(value, list):
            for inner in value:
                self._learn_json(inner, depth + 1)
        elif isinstance(value, str) and value[:1] in {"{", "["}:
            try:
                self._learn_json(lenient_decoder.decode(value), depth + 1)
            except (ValueError, RecursionError):
                return

    def _learn_pair(self, value: dict[str, Json]) -> None:
        """Learn from ``{"name": KEY, "value": VALUE}``, as lists of headers and parameters are."""
        for name in ("key", "name"):
            key, inner = value.get(name), value.get("value")
            if isinstance(key, str) and isinstance(inner, str):
                self._learn_value(
                    key.encode("utf-8", "surrogatepass"), inner.encode("utf-8", "surrogatepass")
                )

    def _learn_value(self, key: bytes, value: bytes) -> None:
        kind = _kind_of(key)
        if kind is None or not value or len(value) > _MAX_VALUE or value in self._pseudonyms:
            return
        if kind == "secret":
            self._learn_secret(value)
        else:
            self._counts[kind] += 1
            made = _user if kind == "user" else _app
            self._pseudonyms[value] = made(value, self._counts[kind])

    def _learn_names(self, delivery: Delivery) -> None:
        """Note sender and receiver of an event of TikTok Business, whose keys are `from` and `to`.

        These keys are common words, so they count in such an event only.
        """
        event = delivery.event
        content = None if event is None else event.content
        if event is None or not isinstance(content, dict):
            return
        if not (content.keys() & {"from_user", "to_user"} or (event.kind and event.kind.business)):
            return
        for name in ("from", "to"):
            person = content.get(f"{name}_user")
            for value in (
                content.get(name),
                person.get("id") if isinstance(person, dict) else None,
            ):
                if isinstance(value, str) and _is_global(value.encode("utf-8", "surrogatepass")):
                    self._learn_value(b"user_id", value.encode("utf-8", "surrogatepass"))

    def _learn_secret(self, value: bytes) -> None:
        if len(value) < 6 or len(value) > _MAX_VALUE or value in self._pseudonyms:
            return
        # Short words without a digit are more likely words of the language than credentials.
        if len(value) < 8 and not any(0x30 <= byte <= 0x39 for byte in value):
            return
        if _DIGEST.fullmatch(value):
            return
        self._pseudonyms[value] = self._mask(value)

    def _mask(self, value: bytes) -> bytes:
        if value not in self._masks:
            self._counts["secret"] += 1
            self._masks[value] = b"redacted-credential-%08d" % self._counts["secret"]
        return self._masks[value]

    # Replacing.

    def _delivery(self, delivery: Delivery) -> Delivery:
        verdict = replace(
            delivery.verdict,
            reason=self._text(delivery.verdict.reason),
            hint=self._text(delivery.verdict.hint),
        )
        return delivery.replace(
            remote_addr=self._text(delivery.remote_addr),
            path=self._text(delivery.path),
            query=self._text(delivery.query),
            headers=self._headers(delivery.headers),
            body=self._data(delivery.body),
            verdict=verdict,
            listener=None,  # it names a person and a machine
        )

    def _attempt(self, attempt: Attempt) -> Attempt:
        body = attempt.request_body
        return replace(
            attempt,
            target=self._text(attempt.target),
            request_headers=self._headers(attempt.request_headers),
            request_body=None if body is None else self._data(body),
            headers=self._headers(attempt.headers),
            body=self._data(attempt.body),
            hint=self._text(attempt.hint),
            app=None,
        )

    def _headers(self, headers: Headers) -> Headers:
        return tuple((name, self._header(name, value)) for name, value in headers)

    def _header(self, name: str, value: str) -> str:
        if _SECRETIVE_HEADER.search(name) and value.strip():
            is_tiktoks = "signature" in name.lower() and _TIKTOK_SIGNATURE.fullmatch(value)
            if not is_tiktoks:
                return self._mask(_bytes(value)).decode()
        return self._text(value)

    def _text(self, text: str) -> str:
        return self._data(_bytes(text)).decode("utf-8", "surrogatepass") if text else text

    def _data(self, data: bytes) -> bytes:
        if not data:
            return data
        return replaced(data, self._find, self._find_known)

    def _find_known(self, data: bytes) -> Find:
        if self._matcher is None:
            self._matcher = Matcher(
                {value: new for value, new in self._pseudonyms.items() if _is_global(value)}
            )
        yield from self._matcher.find(data)

    def _find(self, data: bytes) -> Find:
        yield from self._find_known(data)
        for key, found in _in_json(data):
            if found["number"] is None:
                value = _json_text(found["text"])
                if value:
                    yield *found.span("text"), self._pseudonym(key, value)
            elif _kind_of(key) != "secret":
                yield *found.span("number"), self._pseudonym(key, found["number"])
        for key, found in _form(data):
            yield *found.span(), self._pseudonym(key, unquote_to_bytes(found[0]))
        for found in _DIGEST.finditer(data):
            yield found.start(), found.end(), self._digest(found[0])
        if self._addresses:
            for found in _ADDRESS.finditer(data):
                text = found[0].decode("latin-1")
                new = self._address(text, learn=False)
                if new != text:
                    yield found.start(), found.end(), new.encode()

    def _pseudonym(self, key: bytes, value: bytes) -> bytes:
        """Of a value under its key, however short it is."""
        known = self._pseudonyms.get(value)
        if known is not None:
            return known
        if _kind_of(key) in {"user", "app"} and len(value) <= _MAX_VALUE:
            self._learn_value(key, value)
            return self._pseudonyms[value]
        return self._mask(value)

    def _digest(self, digest: bytes) -> bytes:
        low = digest.lower()
        if low not in self._digests:
            self._counts["digest"] += 1
            self._digests[low] = b"%064x" % self._counts["digest"]
        return self._digests[low]

    def _address(self, text: str, *, learn: bool) -> str:
        """An address reserved for documentation; loopback addresses stay."""
        bare, port = text, ""
        if text.count(".") == 3 and ":" in text and "::" not in text:
            bare, _, port = text.rpartition(":")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return text
        if address.is_loopback or address.is_unspecified:
            return text
        known = address.compressed
        if known not in self._addresses:
            if not learn:
                return text
            self._counts["address"] += 1
            self._addresses[known] = _documented(address.version, self._counts["address"])
        return self._addresses[known] + (f":{port}" if port else "")


def _in_json(data: bytes) -> Iterator[tuple[bytes, re.Match[bytes]]]:
    """Keys of interest with their values, in JSON or parts of it."""
    at = 0
    while found := _JSON_KEY.search(data, at):
        at = found.end()
        if _kind_of(found[1]) is not None:
            value = _JSON_VALUE.match(data, at)
            if value is not None:
                at = value.end()  # what looks like a key in there is part of the value
                yield found[1], value


def _form(data: bytes) -> Iterator[tuple[bytes, re.Match[bytes]]]:
    """Keys of interest with their values, in text that has pairs like a query."""
    at = 0
    while found := _FORM_KEY.search(data, at):
        at = found.end()
        if _kind_of(found[1]) is not None:
            value = _FORM_VALUE.match(data, at)
            if value is not None:
                yield found[1], value
                # Pairs in a long value are part of it: reading each again to its end would take
                # quadratic time.
                if len(value[0]) > _MAX_NESTING_VALUE:
                    at = value.end()


@lru_cache(maxsize=1024)
def _kind_of(key: bytes) -> str | None:
    """Whether a key names a user, an app or a secret; None for any other."""
    text = _in_snake_case(key.decode("utf-8", "replace"))
    if _APP.fullmatch(text):
        return "app"
    if _USER.fullmatch(text):
        return "user"
    if _SECRET.fullmatch(text) or _SECRET_PARAMETER.fullmatch(text):
        return "secret"
    return None


def _in_snake_case(key: str) -> str:
    return _IN_CAMEL_CASE.sub("_", key).replace("-", "_")


def _is_labelled(key: bytes, value: bytes) -> bool:
    """Whether the text after a key is its value, rather than a word of a sentence."""
    kind = _kind_of(key)
    if kind == "secret" and (
        len(value) < _MIN_LABELLED_SECRET or not _SECRET.fullmatch(_in_snake_case(key.decode()))
    ):
        return False
    return kind is not None and re.search(rb"[0-9]", value) is not None


def _is_global(value: bytes) -> bool:
    """Whether a value is replaced everywhere rather than only under its key."""
    if len(value) < Matcher.SHORTEST or value.lower() in _RESERVED:
        return False
    return not (value.lstrip(b"-").isdigit() and len(value.lstrip(b"-")) < _MIN_DIGITS)


def _scalars(value: Json, *, nested: bool) -> Iterator[bytes]:
    """Texts and integers under a key that names a user or app, also in lists and objects."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        # In an object under such a key there are other words too, such as the type of the id.
        if not nested or len(raw) >= 12 or re.search(rb"[0-9]", raw):
            yield raw
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value).encode()
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner, nested=nested)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _scalars(inner, nested=True)


def _credentials_in(name: str, value: str) -> Iterator[str]:
    """The credentials in a header's value: all of it, and its parts."""
    value = value.strip()
    if _TIKTOK_SIGNATURE.fullmatch(value):
        return
    yield value
    if "cookie" in name.lower():
        for part in value.split(";"):
            yield part.partition("=")[2].strip().strip('"')
        return
    scheme, _, rest = value.partition(" ")
    if not rest:
        return
    yield rest.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(rest.strip() + "==").decode("utf-8", "replace")
        except ValueError:
            return
        user, _, password = decoded.partition(":")
        yield from (decoded, user, password)


def _json_text(raw: bytes) -> bytes:
    """The value of a JSON string, given the text between its quotes."""
    if b"\\" not in raw:
        return raw
    try:
        text: str = json.loads(b'"' + raw + b'"')
    except ValueError:
        return raw
    return text.encode("utf-8", "surrogatepass")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _user(value: bytes, number: int) -> bytes:
    return _digits(value, number) or b"-000RedactedUser%016d" % number


def _app(value: bytes, number: int) -> bytes:
    """A client key that still shows by its start and length whether it is a sandbox's."""
    if digits := _digits(value, number):
        return digits
    return b"sbawredacted%06d" % number if value.startswith(b"sbaw") else b"awredacted%06d" % number


def _digits(value: bytes, number: int) -> bytes | None:
    """Another number for a number, so that JSON stays JSON; None for anything else."""
    if not value.lstrip(b"-").isdigit():
        return None
    return b"9%0*d" % (max(len(value) - 1, 1), number)


def _documented(version: int, number: int) -> str:
    """The n-th address of those that RFC 5737 and RFC 3849 reserve."""
    blocks = ("192.0.2.", "198.51.100.", "203.0.113.")
    block, host = divmod(number - 1, 254)
    if version == 4 and block < len(blocks):
        return f"{blocks[block]}{host + 1}"
    return f"2001:db8::{number:x}"


def redacted(again: Callable[[], Iterable[Entry]]) -> Iterator[Entry]:
    """Every entry under pseudonyms.

    Args:
        again: Returns all of them each time it is called: they are read twice, so that a value is
            replaced also before the delivery whose keys show what it is.
    """
    redactor = Redactor()
    for entry in again():
        redactor.learn(entry)
    yield from map(redactor.entry, again())
