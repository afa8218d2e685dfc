import xml.etree.ElementTree as ET

from tests.console.samples import HOSTILE, delivery
from tiktok_hook import console
from tiktok_hook.console.paint import COLOURED
from tiktok_hook.console.svg import picture


def test_a_session_becomes_a_picture() -> None:
    text = console.block(delivery(), paint=COLOURED, width=80)
    drawn = picture(text, title="tiktok-hook listen", width=100)
    words = "".join(ET.fromstring(drawn).itertext()).replace("\xa0", " ")
    assert "tiktok-hook listen" in words
    assert "post.publish.complete" in words
    assert "\x1b" not in drawn


def test_markup_in_a_payload_stays_text_in_the_picture() -> None:
    text = console.line(delivery(path=HOSTILE, body=b"x"), paint=COLOURED)
    words = "".join(ET.fromstring(picture(text, title="t")).itertext()).replace("\xa0", " ")
    assert "[red]x[/red]" in words
