"""Deliveries as curl commands: one to paste, or a script that signs each when it runs.

Everything that came from outside is quoted for POSIX shells. What is not plainly printable is
written as octal escapes of `printf`, so that no terminal or editor obeys it, in dash, bash and zsh.
A command to paste is the same in fish, where a backslash in quotes may escape what follows.
"""

import re
from collections.abc import Container, Iterable, Iterator
from urllib.parse import urlsplit

from tiktok_hook.addresses import target_of, valid_url
from tiktok_hook.archive.entry import Entry
from tiktok_hook.delivery import FORWARDED_HEADER, Delivery, Source, timestamp
from tiktok_hook.forward import EXAMPLE_TARGET, ForwardRequest, compose
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import HEADER

_MADE_BY_SCRIPT = {"host", "content-length", HEADER.lower(), FORWARDED_HEADER.lower()}
_MADE_BY_CURL = {"host", "content-length", FORWARDED_HEADER.lower()}
_ADDED_BY_CURL = ("Accept", "Content-Type", "User-Agent")
_MAX_ARGUMENT = 100_000
"""Linux allows 128 KiB for one argument; longer bodies are piped."""

_LINE_BYTES = 2048

_FISH_READS_OTHERWISE = re.compile(rb"\\(?:['\\]|\Z)")
"""A backslash that escapes what follows it in single quotes of fish, and nothing in POSIX shells.

Source: https://fishshell.com/docs/current/language.html#quotes
"""

# In zsh, `path` and `status` are variables of the shell: no name of the script may be one of them.
_HEAD = r"""#!/bin/sh
# Sends deliveries that tiktok-hook captured to your app, each signed when it is sent:
#   TIKTOK_CLIENT_SECRET=... sh FILE [http://127.0.0.1:3000]
# The address replaces the one that each was forwarded to. Exits with 1 when one of them is not
# answered 200. Needs curl, and openssl and od, or tiktok-hook.
(
set -eu
: "${TIKTOK_CLIENT_SECRET:?set it to the client secret that your app verifies with}"
app=${1:-}
app=${app%/}
body=$(mktemp)
trap 'rm -f "$body"' EXIT
failed=0

# HMAC-SHA256 from two plain digests: with `openssl -hmac KEY` everybody could read the key with ps.
pads() {
  key=$(printf '%s' "$TIKTOK_CLIENT_SECRET" | od -An -v -tx1 | tr -d ' \n')
  if [ "${#key}" -gt 128 ]; then
    key=$(printf '%s' "$TIKTOK_CLIENT_SECRET" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  fi
  inner='' outer='' count=0
  while [ "$count" -lt 64 ]; do
    byte=${key%"${key#??}"}
    key=${key#??}
    inner=$inner$(printf '\\%03o' "$((0x${byte:-0} ^ 0x36))")
    outer=$outer$(printf '\\%03o' "$((0x${byte:-0} ^ 0x5c))")
    count=$((count + 1))
  done
}

signature() {
  if command -v openssl >/dev/null 2>&1 && command -v od >/dev/null 2>&1; then
    now=$(date +%s)
    digest=$( { printf "$outer"
      { printf "$inner"; printf '%s.' "$now"; cat "$body"; } | openssl dgst -sha256 -binary
    } | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    [ -n "$digest" ]
    printf 'Tiktok-Signature: t=%s,s=%s' "$now" "$digest"
  else
    tiktok-hook sign --body "$body"
  fi
}

if command -v openssl >/dev/null 2>&1 && command -v od >/dev/null 2>&1; then pads; fi

send() {
  base=${app:-$1}
  request_path=$2
  name=$3
  shift 3
  header=$(signature)
  answer=$(curl -sS -o /dev/null -w '%{http_code}' --globoff --path-as-is --max-time 30 \
    -H "$header" --data-binary "@$body" "$@" "$base$request_path") || answer='no answer'
  printf '%s: %s\n' "$name" "$answer"
  [ "$answer" = 200 ] || failed=1
}
"""

_TAIL = """
exit "$failed"
)
"""


def write(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The pieces of one script for a POSIX shell; no secret is in it."""
    yield _HEAD.encode()
    for entry in entries:
        yield _sending(entry)
    yield _TAIL.encode()


def command(request: ForwardRequest) -> str:
    """One command that sends a request, to paste into a shell; ends with a line break.

    Args:
        request: Ready to go out, its signature included.
    """
    words = [f"curl -X {_word(request.method.encode())}", _word(valid_url(request.url).encode())]
    words += [f"-H {_word(each)}" for each in _headers(request, _MADE_BY_CURL)]
    words.append("--globoff --path-as-is")
    before = ""
    if _is_plain_text(request.body) and len(request.body) < _MAX_ARGUMENT:
        words.append(f"--data-raw {_quoted(request.body).decode()}")
    else:
        before = f"printf {_word_for_printf(request.body)} | "
        words.append("--data-binary @-")
    return before + " \\\n  ".join(words) + "\n"


def base_and_path(entry: Entry) -> tuple[str, str]:
    """Where a delivery was first forwarded, in two parts; never from a file or a teammate."""
    received = target_of(entry.delivery)
    forwarded = [each for each in entry.own_attempts if not each.replay]
    if entry.delivery.source is Source.IMPORT or not forwarded:
        return EXAMPLE_TARGET, received
    url = urlsplit(valid_url(forwarded[0].target))
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return f"{url.scheme}://{url.netloc}", path


def _sending(entry: Entry) -> bytes:
    delivery = entry.delivery
    event = delivery.event
    title = f"#{delivery.id} {delivery.method if event is None else event.name}"
    about = f"{title}, received {timestamp(delivery.received_at)}: {delivery.summary}"
    comment = f"\n# {_ascii(visible(about))}\n".encode()
    if not delivery.has_whole_body:
        return comment + b"# Not sent: its body is not stored completely.\n"
    base, path = base_and_path(entry)
    request = compose(delivery.method, EXAMPLE_TARGET, delivery.headers, delivery.body)
    words = [f"send {_word(base.encode())} {_word(path.encode())}"]
    words.append(_word(_ascii(visible(title)).encode()))
    words.append(f"-X {_word(delivery.method.encode())}")
    words += [f"-H {_word(each)}" for each in _headers(request, _MADE_BY_SCRIPT)]
    return comment + _body(delivery) + " \\\n  ".join(words).encode() + b"\n"


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _headers(request: ForwardRequest, made: Container[str]) -> Iterator[bytes]:
    """What ``-H`` is given, without the headers that are made elsewhere."""
    present = set()
    for name, value in request.headers:
        key = name.lower()
        if key in made:
            continue
        present.add(key)
        # With nothing after its colon curl would leave the header out.
        text = f"{name}: {value}" if value.strip() else f"{name};"
        yield text.encode("latin-1", "replace")
    for name in (*_ADDED_BY_CURL, "Expect"):
        if name.lower() not in present:
            yield f"{name}:".encode()


def _body(delivery: Delivery) -> bytes:
    """The lines that write a body to the file, byte for byte; text stays readable."""
    body = delivery.body
    if _is_plain_text(body):
        return b"printf '%s' " + _quoted(body) + b' >"$body"\n'
    lines = [b': >"$body"\n']
    for start in range(0, len(body), _LINE_BYTES):
        part = _word_for_printf(body[start : start + _LINE_BYTES]).encode()
        lines.append(b"printf " + part + b' >>"$body"\n')
    return b"".join(lines)


def _is_plain_text(body: bytes) -> bool:
    """Whether people can read it in a script, and a terminal it is pasted into changes nothing."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    if _FISH_READS_OTHERWISE.search(body):
        return False
    # A tab that is pasted completes a file name.
    return "\t" not in text and visible(text.replace("\n", "")) == text.replace("\n", "")


def _word(data: bytes) -> str:
    """One word of a shell; with octal escapes where it is not printable ASCII."""
    if all(0x20 <= byte < 0x7F for byte in data) and not _FISH_READS_OTHERWISE.search(data):
        return _quoted(data).decode()
    return f'"$(printf {_word_for_printf(data)})"'


def _word_for_printf(data: bytes) -> str:
    """A format of `printf` that prints these bytes."""
    text = "".join(_OCTAL[byte] for byte in data)
    # A format that begins with a dash would be an option.
    return "'" + (f"\\055{text[1:]}" if text.startswith("-") else text) + "'"


# An exclamation mark recalls a command in an interactive shell, also between these quotes.
_OCTAL = [
    chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in "'\\%!" else f"\\{byte:03o}"
    for byte in range(256)
]


def _quoted(data: bytes) -> bytes:
    """One word of a shell, whatever is in it."""
    return b"'" + data.replace(b"'", b"'\\''") + b"'"
