import pytest

from tiktok_hook.client_keys import environment


@pytest.mark.parametrize(
    ("client_key", "expected"),
    [
        ("sbaw0123456789abcd", "sandbox"),
        ("aw0123456789abcd", "production"),
        ("7001234567890123456", "business"),
        ("", None),
        ("aw0123456789abc", None),
        ("AW0123456789ABCD", None),
        ("sbaw0123456789abcd\n", None),
        ("٣٤٥", None),
    ],
)
def test_a_client_key_shows_its_environment(client_key: str, expected: str | None) -> None:
    assert environment(client_key) == expected
