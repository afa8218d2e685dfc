"""A shell script that sends deliveries again with curl, each signed when it runs."""

import base64
from collections.abc import Iterable, Iterator

from tiktok_hook.archive.addresses import target_of
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import FORWARDED_HEADER, Delivery, timestamp
from tiktok_hook.forward import compose
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import HEADER

_MADE_ANEW = {"host", "content-length", HEADER.lower(), FORWARDED_HEADER.lower()}
_ADDED_BY_CURL = ("Accept", "Content-Type", "User-Agent")

_HEAD = r"""#!/bin/sh
# Sends deliveries that tiktok-hook captured to your app, each signed afresh with its secret:
#   TIKTOK_CLIENT_SECRET=... sh FILE [http://127.0.0.1:3000]
# Exits with 1 when one of them is not answered 200. Needs curl, and openssl or tiktok-hook.
set -eu
: "${TIKTOK_CLIENT_SECRET:?set it to the client secret that your app verifies with}"
app=${1:-http://127.0.0.1:3000}
app=${app%/}
body=$(mktemp)
trap 'rm -f "$body"' EXIT
failed=0

signature() {
  if command -v openssl >/dev/null 2>&1; then
    now=$(date +%s)
    digest=$( { printf '%s.' "$now"; cat "$body"; } |
      openssl dgst -sha256 -hmac "$TIKTOK_CLIENT_SECRET" -r | cut -d ' ' -f 1)
    [ -n "$digest" ]
    printf 'Tiktok-Signature: t=%s,s=%s' "$now" "$digest"
  else
    tiktok-hook sign --body "$body"
  fi
}

send() {
  name=$1
  shift
  header=$(signature)
  status=$(curl -sS -o /dev/null -w '%{http_code}' --globoff --path-as-is --max-time 30 \
    -H "$header" --data-binary "@$body" "$@") || status='no answer'
  echo "$name: $status"
  [ "$status" = 200 ] || failed=1
}
"""

_TAIL = """
exit "$failed"
"""


def write(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The pieces of one script for a POSIX shell; no secret is in it."""
    yield _HEAD.encode()
    for entry in entries:
        yield _sending(entry.delivery)
    yield _TAIL.encode()


def _sending(delivery: Delivery) -> bytes:
    event = delivery.event
    title = f"#{delivery.id} {delivery.method if event is None else event.name}"
    about = f"{title}, received {timestamp(delivery.received_at)}: {delivery.summary}"
    words = [b"send " + _quoted(visible(title).encode()), b"-X " + _quoted_text(delivery.method)]
    words += [b"-H " + _quoted(header) for header in _headers(delivery)]
    words.append(b'"$app"' + _quoted(target_of(delivery).encode()))
    comment = b"\n# " + visible(about).encode() + b"\n"
    return comment + _body(delivery.body) + b" \\\n  ".join(words) + b"\n"


def _headers(delivery: Delivery) -> Iterator[bytes]:
    """What ``-H`` is given; bytes outside ASCII go out as they came."""
    request = compose(delivery.method, "http://localhost", delivery.headers, delivery.body)
    present = set()
    for name, value in request.headers:
        key = name.lower()
        if key in _MADE_ANEW:
            continue
        present.add(key)
        # With nothing after its colon curl would take the header out.
        text = f"{name}: {value}" if value.strip() else f"{name};"
        yield text.encode("latin-1", "replace")
    for name in (*_ADDED_BY_CURL, "Expect"):
        if name.lower() not in present:
            yield f"{name}:".encode()


def _body(body: bytes) -> bytes:
    """The lines that put a body into the file, byte for byte; text stays readable."""
    if _plain(body):
        return b"printf '%s' " + _quoted(body) + b' >"$body"\n'
    lines = base64.encodebytes(body).decode("ascii")
    return f"base64 -d >\"$body\" <<'END'\n{lines}END\n".encode()


def _plain(body: bytes) -> bool:
    """Whether it can stand between quotes in a script that people read and editors save."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    return visible(text.replace("\n", "")) == text.replace("\n", "")


def _quoted_text(text: str) -> bytes:
    return _quoted(text.encode("utf-8", "replace"))


def _quoted(text: bytes) -> bytes:
    """One word of a shell, whatever is in it."""
    return b"'" + text.replace(b"'", b"'\\''") + b"'"
