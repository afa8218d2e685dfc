"""Pseudonyms for what tells who was meant: user ids, client keys, signatures, addresses.

The same value gets the same pseudonym everywhere in one export, so that what belongs together still
does, and of the same form, so that it still reads as what it was. Bodies are changed as text: not a
byte of theirs is different but the values themselves.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import Attempt, Delivery, Headers

_KEYS = rb"(?:client_?key|user_?open_?id|open_?id|union_?id|creator_?id|user_?id|username)"
_KEYED = re.compile(
    rb'(?P<key>"%s\\*"\s*:\s*)(?:(?P<quote>\\*")|(?P<number>-?[0-9]+))' % _KEYS, re.IGNORECASE
)
"""A key and where its value begins, in JSON and in JSON inside a string, however often escaped."""

_IN_FORM = re.compile(rb"(?P<key>\b%s=)(?P<text>[^&\s\"';,]+)" % _KEYS, re.IGNORECASE)
"""The same in a query or a form."""

_WORD = re.compile(rb"[A-Za-z0-9_-]{8,}")
_CREDENTIAL = re.compile(rb"[A-Za-z0-9+/_.~-]{16,}={0,2}")
_HEX_DIGEST = re.compile(rb"[0-9A-Fa-f]{64}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:]{0,45}:[0-9A-Fa-f:.]+|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_BACKSLASH = ord("\\")

_SECRETIVE_HEADER = re.compile(
    "signature|authorization|cookie|token|secret|api-?key|password", re.IGNORECASE
)
_ADDRESS_HEADERS = {
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
}

Match = re.Match[bytes]


class Redactor:
    """Gives out pseudonyms and puts them in the place of what they stand for.

    `learn` reads ids where their keys tell what they are; `entry` then finds them anywhere else
    as well: in paths, in headers, in what the app answered.
    """

    def __init__(self) -> None:
        self._users: dict[bytes, bytes] = {}
        self._keys: dict[bytes, bytes] = {}
        self._signatures: dict[bytes, bytes] = {}
        self._addresses: dict[str, str] = {}
        self._given: set[bytes] = set()  # a header is looked through twice

    def learn(self, delivery: Delivery) -> None:
        """Note every id that a delivery holds."""
        self._keyed(delivery.body)
        self._keyed(delivery.query.encode("utf-8", "surrogatepass"))

    def entry(self, entry: Entry) -> Entry:
        """The same delivery and attempts, under pseudonyms."""
        return Entry(
            self._delivery(entry.delivery),
            tuple(self._attempt(each) for each in entry.attempts),
        )

    def _delivery(self, delivery: Delivery) -> Delivery:
        verdict = replace(
            delivery.verdict,
            reason=self._text(delivery.verdict.reason),
            hint=self._text(delivery.verdict.hint),
        )
        return delivery.stored(
            remote_addr=self._in_addresses(delivery.remote_addr),
            path=self._text(delivery.path),
            query=self._text(delivery.query),
            headers=self._headers(delivery.headers),
            body=self._bytes(delivery.body),
            verdict=verdict,
        )

    def _attempt(self, attempt: Attempt) -> Attempt:
        body = attempt.request_body
        return replace(
            attempt,
            target=self._text(attempt.target),
            request_headers=self._headers(attempt.request_headers),
            request_body=None if body is None else self._bytes(body),
            headers=self._headers(attempt.headers),
            body=self._bytes(attempt.body),
            hint=self._text(attempt.hint),
        )

    def _headers(self, headers: Headers) -> Headers:
        return tuple((name, self._header(name, value)) for name, value in headers)

    def _header(self, name: str, value: str) -> str:
        if name.lower() in _ADDRESS_HEADERS:
            return self._in_addresses(value)
        if _SECRETIVE_HEADER.search(name):
            raw = value.encode("utf-8", "surrogatepass")
            value = _CREDENTIAL.sub(self._credential, raw).decode("utf-8", "surrogatepass")
        return self._text(value)

    def _text(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        return self._bytes(raw).decode("utf-8", "surrogatepass")

    def _bytes(self, raw: bytes) -> bytes:
        return _WORD.sub(self._word, self._keyed(raw))

    def _keyed(self, raw: bytes) -> bytes:
        parts: list[bytes] = []
        done = 0
        for found in _KEYED.finditer(raw):
            if found.start() < done:
                continue  # it only looks like a key: it stands inside a value
            start, end = found.span("number")
            if found["number"] is None:
                start = found.end()
                end = _closing(raw, start, len(found["quote"]) - 1)
            parts += raw[done:start], self._pseudonym(found["key"], raw[start:end])
            done = end
        parts.append(raw[done:])
        return _IN_FORM.sub(
            lambda found: found["key"] + self._pseudonym(found["key"], found["text"]),
            b"".join(parts),
        )

    def _pseudonym(self, key: bytes, value: bytes) -> bytes:
        if not value:
            return value
        of_app = b"client" in key.lower()
        known = self._keys if of_app else self._users
        if value not in known:
            known[value] = (_app if of_app else _user)(value, len(known) + 1)
        return known[value]

    def _word(self, found: Match) -> bytes:
        word = found[0]
        if _HEX_DIGEST.fullmatch(word):
            return self._signature(word)
        return self._users.get(word) or self._keys.get(word) or word

    def _credential(self, found: Match) -> bytes:
        word = found[0]
        if _HEX_DIGEST.fullmatch(word):
            return self._signature(word)
        return self._secret(word, b"redacted-credential-%08d")

    def _signature(self, digest: bytes) -> bytes:
        return self._secret(digest.lower(), b"%064x")

    def _secret(self, value: bytes, form: bytes) -> bytes:
        if value in self._given:
            return value
        if value not in self._signatures:
            name = self._signatures[value] = form % (len(self._signatures) + 1)
            self._given.add(name)
        return self._signatures[value]

    def _in_addresses(self, text: str) -> str:
        return _ADDRESS.sub(lambda found: self._address(found[0]), text)

    def _address(self, text: str) -> str:
        """An address reserved for documentation; this machine's own stays."""
        bare, port = text, ""
        if text.count(".") == 3 and ":" in text and "::" not in text:
            bare, _, port = text.partition(":")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return text
        if address.is_loopback:
            return text
        if bare not in self._addresses:
            self._addresses[bare] = _documented(address.version, len(self._addresses) + 1)
        return self._addresses[bare] + (f":{port}" if port else "")


def _closing(raw: bytes, start: int, escapes: int) -> int:
    """Where a JSON string ends.

    Args:
        raw: JSON, perhaps inside strings of JSON.
        start: After the opening quote.
        escapes: How many backslashes stand before that: 0, inside a string 1, inside one in that 3.

    Returns:
        The place of the closing quote's own backslashes; the very end where there is none.
    """
    at = raw.find(b'"', start)
    while at >= 0:
        first = at
        while first > start and raw[first - 1] == _BACKSLASH:
            first -= 1
        run = at - first
        # More of them belong to a backslash or a quote of the value itself.
        if run % (2 * escapes + 2) == escapes:
            return at - escapes
        at = raw.find(b'"', at + 1)
    return len(raw)


def _user(value: bytes, number: int) -> bytes:
    return _digits(value, number) or b"-000RedactedUser%016d" % number


def _app(value: bytes, number: int) -> bytes:
    """A client key that still tells a sandbox from production by its start and length."""
    if digits := _digits(value, number):
        return digits
    return b"sbawredacted%06d" % number if value.startswith(b"sbaw") else b"awredacted%06d" % number


def _digits(value: bytes, number: int) -> bytes | None:
    """For a number another one, so that JSON stays JSON; None for anything else."""
    if not value.lstrip(b"-").isdigit():
        return None
    return b"9%0*d" % (max(len(value) - 1, 1), number)


def _documented(version: int, number: int) -> str:
    """The n-th address of those that RFC 5737 and RFC 3849 keep free."""
    blocks = ("192.0.2.", "198.51.100.", "203.0.113.")
    block, host = divmod(number - 1, 254)
    if version == 4 and block < len(blocks):
        return f"{blocks[block]}{host + 1}"
    return f"2001:db8::{number:x}"


def redacted(again: Callable[[], Iterable[Entry]]) -> Iterator[Entry]:
    """Every entry under pseudonyms.

    Args:
        again: Gives all of them, and once more when called once more: they are read twice, so that
            an id is found also before the delivery whose keys tell what it is.
    """
    redactor = Redactor()
    for entry in again():
        redactor.learn(entry.delivery)
    yield from map(redactor.entry, again())
