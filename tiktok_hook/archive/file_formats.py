"""Recognises the format of a file, so that a message can name what cannot be imported."""

import re
from dataclasses import dataclass

from tiktok_hook.archive.document import Records
from tiktok_hook.exact_json import Json


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format that cannot be imported.

    Attributes:
        name: As it follows "FILE is", or for JSON "FILE".
        hint: How to get something that can be imported; empty for the general hint.
    """

    name: str
    hint: str = ""


_TO_SEND = "It holds requests to send, not received ones. Record with tiktok-hook listen."

_UTF16 = FileFormat(
    "UTF-16 text", "Convert it first: iconv -f UTF-16 -t UTF-8 FILE. PowerShell's > writes UTF-16."
)
_PCAP = FileFormat(
    "a packet capture",
    "Packets of https are encrypted. Record with tiktok-hook listen, or as HAR.",
)

_MAGIC: tuple[tuple[bytes, FileFormat], ...] = (
    (b"\xff\xfe\0\0", FileFormat("UTF-32 text", "Convert it first: iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
    (b"{\0", _UTF16),
    (b"\0{", _UTF16),
    (b"\xa1\xb2\xc3\xd4", _PCAP),
    (b"\xd4\xc3\xb2\xa1", _PCAP),
    (b"\xa1\xb2\x3c\x4d", _PCAP),
    (b"\x4d\x3c\xb2\xa1", _PCAP),
    (b"\x0a\x0d\x0d\x0a", _PCAP),
    (
        b"SQLite format 3\0",
        FileFormat("an SQLite database", "If it is a history, open it with --db FILE."),
    ),
    (b"\x1f\x8b", FileFormat("packed twice", "Unpack it first: gunzip FILE")),
    (b"PK\x03\x04", FileFormat("packed twice", "Unpack it first.")),
    (b"\0\0\0\0", FileFormat("a file of NUL bytes", "It was not written to its end.")),
    (b"BZh", FileFormat("a bzip2 file", "Unpack it first: bunzip2 FILE")),
    (b"\xfd7zXZ\0", FileFormat("an xz file", "Unpack it first: unxz FILE")),
    (b"\x28\xb5\x2f\xfd", FileFormat("a zstd file", "Unpack it first: unzstd FILE")),
    (b"7z\xbc\xaf\x27\x1c", FileFormat("a 7z file", "Unpack it first.")),
    (
        b"\xac\xed",
        FileFormat("a session of Charles, or another Java object", "In Charles, export it as HAR."),
    ),
    (b"%PDF-", FileFormat("a PDF")),
    (b"\x89PNG", FileFormat("a PNG image")),
    (b"\xff\xd8\xff", FileFormat("a JPEG image")),
    (b"GIF8", FileFormat("a GIF image")),
)

_TEXT: tuple[tuple[re.Pattern[bytes], FileFormat], ...] = (
    (
        re.compile(rb"(<\?xml.*?)?<(!DOCTYPE )?items\b.*burp", re.DOTALL | re.IGNORECASE),
        FileFormat(
            "an export of Burp Suite (XML)",
            "Give the request body with --header 'Tiktok-Signature: …', or record as HAR.",
        ),
    ),
    (re.compile(rb"<!doctype html|<html", re.IGNORECASE), FileFormat("an HTML page")),
    (re.compile(rb"<\?xml|<[A-Za-z][\w:.-]*[\s>]"), FileFormat("an XML document")),
    (
        re.compile(rb"[0-9]{1,10}:[0-9]{1,9}:"),
        FileFormat("a flow file of mitmproxy", "Convert it: mitmdump -nr FILE --set hardump=O.har"),
    ),
    (
        re.compile(rb"[A-Z]{3,10} \S+ HTTP/[0-9.]+\r?\n"),
        FileFormat(
            "a raw HTTP request",
            "Save its body alone, and give its headers: --header 'Tiktok-Signature: …'",
        ),
    ),
    (
        re.compile(rb"HTTP/[0-9.]+ [0-9]{3}[ \r\n]"),
        FileFormat(
            "a raw HTTP response", "Deliveries are requests: record with tiktok-hook listen."
        ),
    ),
    (
        re.compile(rb"(###[^\n]*\n)*\s*(POST|GET|PUT|PATCH|DELETE) https?://"),
        FileFormat("a request to send (.http)", "Record what is received: tiktok-hook listen."),
    ),
    (
        re.compile(rb"[>*<] "),
        FileFormat(
            "the output of curl -v",
            "Save the body alone, and give its headers: --header 'Tiktok-Signature: …'",
        ),
    ),
    (
        re.compile(rb"//|/\*"),
        FileFormat("a program, or JSON with comments", "Remove them."),
    ),
    (re.compile(rb"meta \{\s"), FileFormat("a request of Bruno", _TO_SEND)),
    (re.compile(rb"#!"), FileFormat("a script")),
    (
        re.compile(
            rb"(var|let|const|import|export|function|module\.exports|[\w.]{1,40}\()[\s\w.{'\"]"
        ),
        FileFormat("a program, not JSON", "Save the JSON alone."),
    ),
    (
        re.compile(rb"[{\[]\s*[{\[]?\s*'"),
        FileFormat(
            "Python's or JavaScript's way to print an object, not JSON", "Write it as JSON."
        ),
    ),
    (
        re.compile(rb"\S+ \S+ \S+ \[[^\]]{10,40}\] \"[A-Z]{3,10} "),
        FileFormat("an access log", "It has no bodies. Record with tiktok-hook listen."),
    ),
    (
        re.compile(rb"(Received|From|Subject|Date|MIME-Version|Delivered-To): "),
        FileFormat("an e-mail"),
    ),
    (
        re.compile(rb"Method: [A-Z]+\r?\n|URL: http"),
        FileFormat("a trace file of Charles", "Export HAR."),
    ),
    (
        re.compile(rb"(---\r?\n)?[A-Za-z_]\w*:( [^\n]*)?\r?\n\s*[\w-]+:"),
        FileFormat("a YAML document"),
    ),
    (re.compile(rb"\w+( \w+)?(,\"?\w[^,\n]*){2,}\r?\n"), FileFormat("a CSV table")),
    (
        re.compile(rb"(\$ )?curl(\.exe)?\s"),
        FileFormat("a curl command", "Run it against `tiktok-hook listen --no-tunnel`."),
    ),
)


def of_bytes(head: bytes) -> FileFormat | None:
    """The format of a file that is not JSON, from its first bytes; None if it may be JSON."""
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if head[257:262] == b"ustar":
        return FileFormat("a tar file", "Unpack it first: tar -xf FILE")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((found for pattern, found in _TEXT if pattern.match(text)), None)


def entries_of(value: Json) -> tuple[str, list[Json]] | None:
    """The importable records of a JSON document.

    Returns:
        ``har``, ``ngrok``, ``webhook.site`` or ``lines``, and the records; None if it has none.
    """
    if isinstance(value, dict):
        log = value.get("log")
        if isinstance(log, dict) and isinstance(log.get("entries", []), list):
            entries = log.get("entries", [])
            return "har", entries if isinstance(entries, list) else []
        entries = value.get("entries")
        if isinstance(entries, list) and _list_of(entries) == "har":
            return "har", entries
        for key in ("requests", "data"):
            inner = value.get(key)
            if isinstance(inner, list) and (found := _list_of(inner)):
                return found, inner
        if kind := _list_of([value]):
            return kind, [value]
    if isinstance(value, list) and (kind := _list_of(value)):
        return kind, value
    return None


def _list_of(values: list[Json]) -> str | None:
    """The format of records, from the first of them that shows it."""
    for value in values[:100]:
        if not isinstance(value, dict):
            continue
        request = value.get("request")
        if isinstance(request, dict) and "raw" in request:
            return "ngrok"
        if isinstance(request, dict) and {"method", "url"} <= request.keys():
            return "har"
        if {"uuid", "method", "url"} <= value.keys() and "content" in value:
            return "webhook.site"
        if value.get("type") in {"delivery", "attempt"}:
            return "lines"
    return None


_AS_HAR = "In Charles, export it as HAR."
_HEADERS = "Give the headers that came with it: --header 'Tiktok-Signature: t=…,s=…'"

_BY_KEYS: tuple[tuple[frozenset[str], FileFormat], ...] = tuple(
    (frozenset(keys.split()), found)
    for keys, found in (
        ("info item", FileFormat("is a Postman collection", _TO_SEND)),
        ("collections environments", FileFormat("is an export of Postman", _TO_SEND)),
        ("order requests", FileFormat("is an export of Postman", _TO_SEND)),
        ("_postman_variable_scope", FileFormat("is a Postman environment")),
        ("client collectionName", FileFormat("is a collection of Thunder Client", _TO_SEND)),
        ("v folders requests", FileFormat("is a collection of Hoppscotch", _TO_SEND)),
        ("_type resources", FileFormat("is an Insomnia export", _TO_SEND)),
        ("openapi", FileFormat("is an OpenAPI document")),
        ("swagger", FileFormat("is an OpenAPI document")),
        (
            "constants events",
            FileFormat("is a network log of Chrome (NetLog)", "Save a HAR in the network panel."),
        ),
        (
            "tts_notification_id",
            FileFormat("looks like the body of one TikTok Shop event, another platform"),
        ),
        ("headers requestContext", FileFormat("is an event of AWS Lambda", _HEADERS)),
        ("event content", FileFormat("looks like the body of one TikTok event", _HEADERS)),
        ("client_key event", FileFormat("looks like the body of one TikTok event", _HEADERS)),
    )
)
"""Formats by some of their keys, the first that has them all."""


def of_json(value: Json) -> FileFormat:
    """The name of a JSON document that has no importable records."""
    if isinstance(value, list):
        return _of_list(value)
    if not isinstance(value, dict):
        return FileFormat("is a single JSON value, not a recording of requests")
    for keys, found in _BY_KEYS:
        if keys <= value.keys():
            return found
    if isinstance(value.get("log"), dict):
        return FileFormat("is a HAR without a list of entries")
    for key, inner in value.items():
        if _is_har(inner):
            return FileFormat(
                f"has a HAR in its field {str(key)[:40]!r}",
                f"Import it alone: jq .{key} FILE | tiktok-hook import -"
                if str(key).isidentifier()
                else "Save it in a file of its own.",
            )
    shown = ", ".join(sorted(str(key)[:20] for key in list(value)[:5])) or "none"
    return FileFormat(f"is JSON in a format that is not known here (its keys: {shown})")


def _is_har(value: Json) -> bool:
    log = value.get("log") if isinstance(value, dict) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def _of_list(values: list[Json]) -> FileFormat:
    first = values[0] if values and isinstance(values[0], dict) else {}
    length = values.length if isinstance(values, Records) else len(values)
    items = "1 item" if length == 1 else f"{length} items"
    if _is_har(first):
        return FileFormat(
            f"is a JSON list with {items}, each a HAR",
            "Import each alone: jq .[0] FILE | tiktok-hook import -",
        )
    if "_source" in first:
        return FileFormat("is a list of packets, as Wireshark exports them", _PCAP.hint)
    if {"scheme", "host", "path", "request"} <= first.keys():
        return FileFormat("is a session of Charles (JSON)", _AS_HAR)
    if {"event", "content"} <= first.keys():
        return FileFormat(
            f"is a JSON list with {items}, bodies of TikTok events without their headers",
            "Save one body in a file of its own, and give its headers with --header.",
        )
    return FileFormat(f"is a JSON list with {items}, not a recording of requests")
