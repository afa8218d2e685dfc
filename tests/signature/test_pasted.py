"""A signature header is read in whatever form people copy it."""

import time

import pytest

from tests.signature.samples import diagnosed
from tests.signature.vectors import BODY, RIGHT, SECRET, T
from tiktok_hook.signature.pasted import read_pasted

HEX = RIGHT.partition("s=")[2]

FORMS = {
    "value": RIGHT,
    "line": f"Tiktok-Signature: {RIGHT}",
    "lower-case": f"tiktok-signature: {RIGHT}",
    "curl-v": f"> Tiktok-Signature: {RIGHT}",
    "curl-h": f"-H 'Tiktok-Signature: {RIGHT}'",
    "curl-h-double": f'--header "TikTok-Signature: {RIGHT}" \\',
    "curl-h-comma": f"  -H 'Tiktok-Signature: {RIGHT}' \\",
    "node-object": f"'tiktok-signature': '{RIGHT}',",
    "json-field": f'"tiktok-signature": "{RIGHT}"',
    "json": f'{{"host": "x", "tiktok-signature": "{RIGHT}", "accept": "*/*"}}',
    "json-list": f'{{"Tiktok-Signature": ["{RIGHT}"]}}',
    "cgi": f"HTTP_TIKTOK_SIGNATURE: {RIGHT}",
    "cgi-env": f"HTTP_TIKTOK_SIGNATURE={RIGHT}",
    "php": f"  [HTTP_TIKTOK_SIGNATURE] => {RIGHT}",
    "php-var-dump": f'["HTTP_TIKTOK_SIGNATURE"]=> string(79) "{RIGHT}"',
    "rack": f'"HTTP_TIKTOK_SIGNATURE"=>"{RIGHT}"',
    "python-tuple": f"('Tiktok-Signature', '{RIGHT}')",
    "python-bytes": f"(b'tiktok-signature', b'{RIGHT}')",
    "go-map": f"map[Tiktok-Signature:[{RIGHT}]]",
    "log-line": f"2026-11-27T10:00:00Z INFO headers tiktok-signature={RIGHT} path=/hook",
    "quoted-value": f'"{RIGHT}"',
    "several-lines": f"Host: x\nContent-Type: text/json\nTiktok-Signature: {RIGHT}\nAccept: */*",
    "blanks": f"   {RIGHT}  \n",
    "tab": f"Tiktok-Signature\t{RIGHT}",
    "columns": f"tiktok-signature    {RIGHT}",
    "nginx": f'proxy_set_header Tiktok-Signature "{RIGHT}";',
    "har": f'{{"name": "Tiktok-Signature", "value": "{RIGHT}"}}',
    "har-on-lines": f'{{\n  "name": "tiktok-signature",\n  "value": "{RIGHT}"\n}}',
    "headers-array": f"{{ name: 'Tiktok-Signature', value: '{RIGHT}' }},",
    "name-above-value": f"tiktok-signature:\n{RIGHT}",
    "folded": f"Tiktok-Signature: t={T},\r\n s={HEX}\r\nHost: x",
    "shell-lines": f"-H 'Tiktok-Signature: t={T},\\\n  s={HEX}' \\",
    "cut-by-the-terminal": f"Tiktok-Signature: {RIGHT[:50]}\n{RIGHT[50:]}\nDate: x",
    "value-cut-by-the-terminal": f"{RIGHT[:30]}\n{RIGHT[30:]}",
    "rust-option": f'Some("{RIGHT}")',
    "rust-option-with-name": f'header Tiktok-Signature is Some(HeaderValue("{RIGHT}"))',
}


@pytest.mark.parametrize("name", FORMS)
def test_a_pasted_header_is_read(name: str) -> None:
    value, _ = read_pasted(FORMS[name])
    assert value is not None
    found = diagnosed(value, BODY, [SECRET], now=T)
    assert found is None or found.mistake == "quoted-header", (value, found)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (f"t={T},s:{HEX}", "colons"),
        (f"t:{T},s:{HEX}", "colons"),
        (f"X-TikTok-Signature: {RIGHT}", "wrong-header-name"),
        (f"X-TikTok-Signature: {HEX}\nX-TikTok-Timestamp: {T}", "wrong-header-name"),
        (f'{{"x-tiktok-signature": "{HEX}", "x-tiktok-timestamp": "{T}"}}', "wrong-header-name"),
        (HEX, "bare-hex"),
        (f"sha256={HEX}", "sha256-prefix"),
        ("Content-Type: application/json", "no-header"),
        ("", "empty-header"),
        ("Tiktok-Signature:", "empty-header"),
        (f"X-Signature\t{RIGHT}", "wrong-header-name"),
    ],
)
def test_what_is_wrong_with_it_is_named(text: str, mistake: str) -> None:
    value, headers = read_pasted(text)
    found = diagnosed(value, BODY, [SECRET], now=T, headers=headers)
    assert found is not None
    assert found.mistake.split("+")[0] == mistake


@pytest.mark.parametrize(
    "text",
    [
        "A" * 20_000,
        "A: " + "'" * 20_000 + "x",
        "A: '" + " " * 20_000 + "x",
        "sign" * 5_000,
        "t=1,s=" + "a\n" * 10_000,
        "\nt=1,\n" * 2_500,
        "name" + " " * 20_000,
    ],
    ids=["name", "quotes", "blanks", "words", "lines", "values", "pair"],
)
def test_a_long_text_is_read_in_linear_time(text: str) -> None:
    """One took two minutes, during which a server of an agent answered nothing."""
    began = time.process_time()
    read_pasted(text)
    assert time.process_time() - began < 2
