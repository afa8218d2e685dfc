"""How values are read back from columns."""

import pytest

from tiktok_hook.store.encoding import headers_of, headers_text


@pytest.mark.parametrize(
    "headers", [(), (("A", "b"), ("A", "")), (("X", "\ud800"), ("\xe9", "\xff"))]
)
def test_headers_are_read_as_they_were_written(headers: tuple[tuple[str, str], ...]) -> None:
    assert headers_of(headers_text(headers)) == headers


@pytest.mark.parametrize(
    "text", ["", "garbage", "{}", '[["a"]]', "7", "null", "[" * 9000, "[[]]", '["a"]']
)
def test_what_holds_no_headers_is_read_as_none(text: str) -> None:
    """In a shared history a teammate may have written it."""
    assert headers_of(text) == ()


def test_parts_of_headers_are_texts_whatever_was_written() -> None:
    assert headers_of('[[1, {"a": 2}]]') == (("1", "{'a': 2}"),)
