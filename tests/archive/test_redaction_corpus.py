"""Redaction by value: every kind of value in every place and encoding that is covered."""

import base64
import contextlib
import gzip
import html
import json
import re
import textwrap
import zlib
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest

from tests.archive.samples import entry, exported
from tests.store.samples import delivery
from tiktok_hook import archive
from tiktok_hook.archive import Entry
from tiktok_hook.archive.redact_text import MAX_INFLATED_BYTES, inflated
from tiktok_hook.delivery import attempt_json, delivery_json, dump

IDS = {
    "dotted": "act.example12345Example12345Example",
    "open-id": "-000ExampleOpenIdExampleOpenIdExampl",
    "short": "abc7",
    "with-quote": 'a"b\\c-12345',
    "not-ascii": "usér-12345",
    "slashes": "a/b+c=12345",
    "digits": "7545201234567890123",
}


def text_of(*entries: Entry) -> str:
    shapes = []
    for each in entries:
        shapes += [delivery_json(each.delivery), *(attempt_json(one) for one in each.attempts)]
    return b"".join(dump(shape) for shape in shapes).decode()


def redacted(*entries: Entry) -> list[Entry]:
    return list(archive.redacted(lambda: entries))


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in text)


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def b64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def b64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def jwt(text: str) -> str:
    return f"{b64url('{}')}.{b64url(json.dumps({'sub': text}))}.{b64url('signature')}"


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: f"<{text}>",
    "glued": lambda text: f"avatar_{text}.png",
    "prefixed": lambda text: f"p_{text}",
    "json": lambda text: json.dumps({"note": text}),
    "json-escaped": lambda text: f'{{"note":"{escaped(text)}"}}',
    "json-in-json": lambda text: json.dumps({"a": json.dumps({"b": text})}),
    "json-in-json-in-json": lambda text: json.dumps([json.dumps([json.dumps([text])])]),
    "json-slashes": lambda text: json.dumps({"note": text}).replace("/", "\\/"),
    "quoted": lambda text: f"/x?u={quote(text, safe='')}",
    "percent": lambda text: f"/x?u={percent(text)}&v=1",
    "percent-twice": lambda text: quote(percent(text), safe=""),
    "html": html.escape,
    "html-numbers": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "base64": lambda text: b64(f'{{"id":"{text}"}}' if '"' not in text else text),
    "base64-prefixed": lambda text: f"data:text/plain;base64,{b64(f'xy {text} z')}",
    "base64url": lambda text: b64url(f"xyz {text} ?>"),
    "base64-in-base64": lambda text: b64(f"<{b64(f'<{text}>')}>"),
    "base64-lines": lambda text: base64.encodebytes((f"{text} " * 9).encode()).decode(),
    "base64-indented": lambda text: textwrap.indent(
        base64.encodebytes(f"{text} ".encode() * 9).decode(), "  "
    ),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal-in-capitals": lambda text: f"0x{text.encode().hex().upper()}",
    "hexadecimal-with-colons": lambda text: text.encode().hex(":"),
    "hexadecimal-behind-a-digit": lambda text: f"7{text.encode().hex()}e",
    "hexadecimal-of-json": lambda text: json.dumps({"a": text}).encode().hex(),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "braces": lambda text: "".join(f"\\u{{{ord(each):x}}}" for each in text),
    "eight-digits": lambda text: "".join(f"\\U{ord(each):08x}" for each in text),
    "percent-u": lambda text: "".join(f"%u{ord(each):04X}" for each in text),
    "html-without-semicolons": lambda text: "".join(f"&#{ord(each)}" for each in text),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "gzip-in-base64": lambda text: b64_of(gzip.compress(f"<{text}>".encode(), mtime=0)),
    "zlib-in-base64": lambda text: b64_of(zlib.compress(f"<{text}>".encode())),
    "jwt": jwt,
    "jwt-in-json": lambda text: json.dumps({"t": jwt(text)}),
}


def is_in(value: str, text: str) -> bool:
    """Whether a value can be found in a text, decoded in any usual way."""
    seen: set[str] = set()
    waiting = [text]
    while waiting:
        each = waiting.pop()
        if each in seen or len(seen) > 400:
            continue
        seen.add(each)
        if value in each:
            return True
        waiting.append(html.unescape(each))
        waiting.append(unquote(each))
        waiting.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), each))
        waiting.append(re.sub(r'\\(["\\/])', r"\1", each))
        waiting.append(re.sub(r"\\u\{([0-9a-fA-F]+)\}", lambda m: chr(int(m[1], 16)), each))
        waiting.append(re.sub(r"\\U([0-9a-fA-F]{8})", lambda m: chr(int(m[1], 16)), each))
        waiting.append(re.sub(r"%u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), each))
        octal = re.sub(r"\\([0-3][0-7]{2})", lambda m: chr(int(m[1], 8)), each)
        quoted = re.sub(r"=([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), each)
        waiting += [
            found.encode("latin-1", "replace").decode("utf-8", "replace")
            for found in (octal, quoted)
        ]
        for run in re.findall(r"[0-9A-Fa-f]{8,}", re.sub("(?<=[0-9a-f]):(?=[0-9a-f])", "", each)):
            for shift in range(2):
                even = run[shift : shift + (len(run) - shift) // 2 * 2]
                waiting.append(bytes.fromhex(even).decode("utf-8", "replace"))
        for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", each.replace("\n", "")):
            for shift in range(4):
                part = run[shift:].translate(str.maketrans("-_", "+/"))
                part = part[: len(part) - (len(part) % 4 == 1)]
                data = base64.b64decode(part + "=" * (-len(part) % 4))
                with contextlib.suppress(zlib.error):
                    data = zlib.decompress(data, wbits=47)
                if data.isascii() or "é" in value:
                    waiting.append(data.decode("utf-8", "replace"))
    return False


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("value", IDS.values(), ids=IDS)
def test_a_user_id_is_replaced_in_every_place_and_encoding(
    value: str, encode: Callable[[str], str]
) -> None:
    known = delivery(json.dumps({"event": "a.b", "user_openid": value}).encode())
    hidden = encode(value)
    assert is_in(value, hidden)
    sent = entry(
        delivery(
            hidden.encode(),
            path=f"/{quote(hidden, safe='/')}",
            query=f"q={quote(hidden, safe='')}",
            headers=(("X-Note", quote(hidden)), ("Referer", hidden.replace("\n", " "))),
        ),
        2,
        [
            {
                "status": 200,
                "duration_ms": 1.0,
                "body": hidden.encode(),
                "request_body": b"x " + hidden.encode(),
                "headers": (("Location", quote(hidden)),),
                "target": f"http://127.0.0.1:3000/{quote(hidden, safe='')}",
                "hint": hidden,
            }
        ],
    )
    for found in redacted(sent, entry(known, 1))[:1]:
        places = [
            found.delivery.body.decode(),
            found.delivery.path,
            found.delivery.query,
            *(text for _, text in found.delivery.headers),
            found.attempts[0].body.decode(),
            (found.attempts[0].request_body or b"").decode(),
            found.attempts[0].target,
            found.attempts[0].headers[0][1],
            found.attempts[0].hint,
        ]
        for number, text in enumerate(places):
            assert not is_in(value, text), (number, text)


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "gzip-twice": lambda data: gzip.compress(gzip.compress(data)),
    "gzip-cut": lambda data: gzip.compress(data, mtime=0)[:-6],
}


@pytest.mark.parametrize("compress", COMPRESSED.values(), ids=COMPRESSED)
def test_a_value_is_learned_and_replaced_in_compressed_bodies(
    compress: Callable[[bytes], bytes],
) -> None:
    first = json.dumps({"user_openid": "example-1234", "note": "other-1234"}).encode()
    other = b'{"user_openid": "other-1234", "note": "example-1234"}'
    found, second = redacted(entry(delivery(compress(first))), entry(delivery(other), 2))
    assert b"-1234" not in second.delivery.body
    text = found.delivery.body
    while text.startswith((b"\x1f", b"\x78")):
        text = zlib.decompress(text, wbits=47)
    assert text.startswith(b'{"user_openid": "')
    assert b"-1234" not in text


def test_compressed_data_without_a_known_value_keeps_its_bytes() -> None:
    data = gzip.compress(b"nothing private") + b"behind"
    (found,) = redacted(entry(delivery(data)))
    assert found.delivery.body == data


def test_what_unpacks_to_too_much_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(MAX_INFLATED_BYTES + 1), compresslevel=1)
    assert inflated(bomb) is None
    small = gzip.compress(bytes(100_000))
    assert inflated(small) == bytes(100_000)
    assert inflated(small, nesting=1) is None  # there can be thousands in one body


@pytest.mark.parametrize(
    "broken",
    [
        "example-12\n34-of",
        "example-12\r\n    34-of",
        "a\nb example-1234-\n\tof",
        "exam=\nple-1234-of",
    ],
)
def test_a_value_is_replaced_across_the_end_of_a_line(broken: str) -> None:
    known = delivery(json.dumps({"user_openid": "example-1234-of"}).encode())
    for body in (broken, json.dumps({"log": f"x {broken} y"})):
        sent = entry(delivery(body.encode()))
        (found, _) = redacted(sent, entry(known, 2))
        text = re.sub(r"=?(?:\n|\r|\\n|\\r|\\t|\s)+", "", found.delivery.body.decode())
        assert "1234" not in text
        assert text.count("RedactedUser") == 1


def test_lines_that_are_joined_make_no_pair_of_a_key_and_its_value() -> None:
    body = b"token=\nnext line of text 12345678\nuser_id:\nother"
    (found,) = redacted(entry(delivery(body)))
    assert found.delivery.body == body


@pytest.mark.parametrize(
    "body",
    [
        '{"user\\u005fopenid":"VALUE"}',
        '{"\\u0075ser_openid":"VALUE"}',
        '{"open_id":["VALUE","other"]}',
        '{"open_id":{"value":"VALUE"}}',
        '{"users":[{"userId":"VALUE"}]}',
        '{"content":"{\\"creator_id\\":\\"VALUE\\"}"}',
        '{"content":"{\\"open_id\\":[\\"VALUE\\"]}"}',
        "user_id=VALUE&a=b",
        "openId=VALUE",
        '{"user_openid":"VALUE',
        'callback({"union_id" : "VALUE"})',
        '{"tiktokOpenId":"VALUE"}',
        '{"openIds":["VALUE"]}',
        '{"open_id_list":["VALUE"]}',
        '{"content":"{\\"fromUserId\\":\\"VALUE\\"}"}',
        '{"sender_id":"VALUE"}',
        '{"clientId":"VALUE"}',
        '[{"key":"open_id","value":"VALUE"}]',
        '[{"name":"user_id","value":"VALUE"}]',
        "{'open_id': 'VALUE'}",
        "{open_id:'VALUE'}",
        'array("open_id" => "VALUE")',
        '{:open_id=>"VALUE"}',
        "event: a.b\nopen_id: VALUE\n",
        "user[open_id]=VALUE&a=b",
        "user%5Bopen_id%5D=VALUE",
        "<user_openid>VALUE</user_openid>",
        "<t:open-id type='x'><![CDATA[VALUE]]></t:open-id>",
        '<user open_id="VALUE"/>',
        '--x\r\nContent-Disposition: form-data; name="open_id"\r\n\r\nVALUE\r\n--x--',
        '--x\nContent-Disposition: form-data; name="uid"\nContent-Type: text/plain\n\nVALUE\n--x--',
    ],
)
def test_a_value_is_learned_however_its_key_is_written(body: str) -> None:
    value = "example-1234"
    sent = entry(delivery(body.replace("VALUE", value).encode(), path=f"/{value}"))
    (found,) = redacted(sent)
    assert value not in text_of(found)


@pytest.mark.parametrize(
    "key",
    ["accessToken", "refreshToken", "clientSecret", "webhookSecret", "csrfToken", "privateKey",
     "private_key", "access_key_id", "aws_secret_access_key", "bearer", "passphrase", "tokens"],
)  # fmt: skip
def test_a_credential_is_learned_however_its_key_is_written(key: str) -> None:
    value = "s3cr3t-of-the-user"
    for body in (json.dumps({key: value}), f"{key}: {value}\n", f"<{key}>{value}</{key}>"):
        some = {"status": 500, "duration_ms": 1.0, "body": body.encode()}
        (found,) = redacted(entry(delivery(path=f"/{value}"), 1, [some]))
        assert value not in text_of(found)


@pytest.mark.parametrize(
    "text",
    [
        "signature: sha256 expected",
        "session: expired, token=none",
        "Error: code: 12345678",
        "user_id: unknown or missing",
        "max_tokens=1000",
        "<html><head><title>500 Server Error 12</title></head>",
    ],
)
def test_words_of_a_sentence_are_not_taken_for_values(text: str) -> None:
    words = " ".join(re.findall("[A-Za-z0-9]+", text))
    some = {"status": 500, "duration_ms": 1.0, "body": text.encode()}
    (found,) = redacted(entry(delivery(words.encode()), 1, [some]))
    assert found.delivery.body == words.encode()


def test_values_of_answers_and_of_replays_are_learned_too() -> None:
    some = {
        "status": 200,
        "duration_ms": 1.0,
        "body": b'{"user_id":"in-answer-1"}',
        "request_body": b'{"user_id":"in-replay-1"}',
    }
    sent = entry(delivery(b"in-answer-1 in-replay-1"), 1, [some])
    assert not re.search("in-(answer|replay)-1", text_of(*redacted(sent)))


CREDENTIALS = [
    ("Authorization", "Basic dXNlcjpwYXNz"),
    ("authorization", "x"),
    ("Proxy-Authorization", "Digest a=b"),
    ("X-Api-Key", "k3y-short"),
    ("Apikey", "k"),
    ("Cookie", "sid=short"),
    ("Set-Cookie", "sid=short; HttpOnly"),
    ("X-Session", "abc"),
    ("X-Amz-Security-Token", "t"),
    ("X-Amz-Auth", "abc"),
    ("X-CSRF", "1"),
    ("X-Hub-Signature-256", "sha256=abcd"),
    ("X-Secret", "hunter2"),
    ("X-Password", "\u00e9"),
    ("X-JWT", "a.b.c"),
    ("X-Amzn-Oidc-Data", "a.b.c"),
    ("X-Forwarded-User", "me"),
    ("X-Remote-User", "me"),
    ("Authentication-Info", 'nextnonce="1"'),
    ("X-Passcode", "1234"),
    ("X-Access", "x"),
]


@pytest.mark.parametrize(("name", "value"), CREDENTIALS, ids=lambda value: value)
def test_a_secretive_header_is_masked_whole_whatever_its_length(name: str, value: str) -> None:
    headers = ((name, value),)
    some = {"headers": headers, "request_headers": headers, "status": 200, "duration_ms": 1.0}
    (found,) = redacted(entry(delivery(headers=headers), 1, [some]))
    attempt = found.attempts[0]
    for (_, masked), *_ in (found.delivery.headers, attempt.headers, attempt.request_headers):
        assert re.fullmatch("redacted-credential-[0-9]{8}", masked)


@pytest.mark.parametrize(
    "name",
    ["Content-Type", "Host", "Authority", "WWW-Authenticate", "Accept", "Content-Length", "Etag",
     "Strict-Transport-Security", "Content-Security-Policy", "Access-Control-Allow-Origin"],
)  # fmt: skip
def test_other_headers_stay(name: str) -> None:
    (found,) = redacted(entry(delivery(headers=((name, "text/x; a=b"),))))
    assert found.delivery.headers == ((name, "text/x; a=b"),)


def test_a_credential_is_replaced_where_it_is_repeated() -> None:
    headers = (
        ("Authorization", "Bearer token-of-the-user-1"),
        ("Cookie", "a=b; sid=session-of-the-user-1"),
        ("X-Proxy-Authorization", f"Basic {b64('name-9:password-of-1')}"),
    )
    body = b"expected token-of-the-user-1, session-of-the-user-1 and password-of-1"
    some = {"status": 401, "duration_ms": 1.0, "body": body}
    text = text_of(*redacted(entry(delivery(headers=headers), 1, [some])))
    for private in ("token-of", "session-of", "password-of"):
        assert private not in text


@pytest.mark.parametrize(
    "query", ["key=s3cr3t-x", "a=b&token=s3cr3t-x", "api_key=s3cr3t-x", "sig=s3cr3t-x#a"]
)
def test_secrets_in_the_target_are_masked(query: str) -> None:
    some = {"status": 200, "duration_ms": 1.0, "target": f"http://127.0.0.1:3000/hook?{query}"}
    (found,) = redacted(entry(delivery(b"s3cr3t-x"), 1, [some]))
    assert "s3cr3t-x" not in text_of(found)
    assert found.attempts[0].target.startswith("http://127.0.0.1:3000/hook?")
    for form in archive.FORMATS:
        assert b"s3cr3t-x" not in exported([found], form)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Forwarded-For", "203.0.114.7, 2a01:4f8::1"),
        ("X-Original-Forwarded-For", "203.0.114.7"),
        ("Forwarded", 'for="[2a01:4f8::1]:4711";by=203.0.114.7'),
        ("X-Real-Ip", "203.0.114.7"),
        ("X-ProxyUser-Ip", "203.0.114.7"),
        ("Cf-Connecting-Ip", "2a01:04f8:0:0:0:0:0:1"),
        ("X-Azure-ClientIP", "203.0.114.7:443"),
        ("True-Client-Ip", "203.0.114.7"),
        ("X-Envoy-External-Address", "203.0.114.7"),
        ("X-Remote-Addr", "203.0.114.7"),
        ("Via", "1.1 203.0.114.7"),
        ("X-Azure-SocketIP", "203.0.114.7"),
        ("CF-Connecting-IPv6", "2a01:4f8::1"),
        ("X-Ip", "203.0.114.7"),
    ],
)
def test_addresses_are_replaced_in_every_carrier_and_in_bodies(name: str, value: str) -> None:
    body = b'{"event":"a.b","ip":"203.0.114.7","other":"2a01:4f8::1","version":"1.2.3.4"}'
    body += b" from 203.0.114.7"  # not JSON, so that only the header shows that it is a client's
    sent = entry(delivery(body, headers=((name, value),)))
    text = text_of(*redacted(sent))
    if "203.0.114.7" in value:
        assert "203.0.114.7" not in text
    assert "1.2.3.4" in text
    if "2a01" in value:
        assert "2a01" not in text


@pytest.mark.parametrize("key", ["ip", "client_ip", "clientIp", "ip_address", "remoteAddr"])
def test_an_address_is_learned_from_its_key(key: str) -> None:
    body = json.dumps({"event": "a.b", key: "203.0.114.7", "version": "203.0.114.8"})
    text = text_of(*redacted(entry(delivery(body.encode(), path="/203.0.114.7"))))
    assert "203.0.114.7" not in text
    assert "203.0.114.8" in text


@pytest.mark.parametrize("word", ["event", "content", "user_openid", "post.publish.complete"])
def test_a_stranger_who_calls_himself_like_a_key_breaks_nothing(word: str) -> None:
    body = json.dumps({"event": "post.publish.complete", "user_openid": word, "content": "{}"})
    (found,) = redacted(entry(delivery(body.encode())))
    shape = json.loads(found.delivery.body)
    assert list(shape) == ["event", "user_openid", "content"]
    assert shape["event"] == "post.publish.complete"
    assert shape["user_openid"] != word


def test_a_short_number_is_replaced_only_under_its_key() -> None:
    body = b'{"event":"a.b","user_id":17,"count":17,"create_time":1756684817}'
    (found,) = redacted(entry(delivery(body)))
    shape = json.loads(found.delivery.body)
    assert (shape["count"], shape["create_time"]) == (17, 1756684817)
    assert shape["user_id"] != 17


def test_thousands_of_values_take_no_longer_than_one() -> None:
    users = [f"-000Example{number:025d}" for number in range(3_000)]
    entries = [
        entry(delivery(json.dumps({"event": "a.b", "user_openid": some}).encode()), number)
        for number, some in enumerate((users[at : at + 50] for at in range(0, 3_000, 50)), 1)
    ]
    text = text_of(*redacted(*entries))
    assert not any(user in text for user in users[::100])
