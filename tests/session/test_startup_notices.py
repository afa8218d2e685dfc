import pytest

from tiktok_hook.session.startup_notices import doubled_path, exposed


@pytest.mark.parametrize(
    ("target", "path", "sent_to", "meant"),
    [
        (
            "http://localhost:3000/webhook",
            "/webhook",
            "http://localhost:3000/webhook/webhook",
            "http://localhost:3000",
        ),
        (
            "http://localhost:3000/api/hook/?a=1",
            "/hook",
            "http://localhost:3000/api/hook/hook",
            "http://localhost:3000/api",
        ),
    ],
)
def test_a_path_in_target_and_callback_url_is_named(
    target: str, path: str, sent_to: str, meant: str
) -> None:
    (notice,) = doubled_path([target], path)
    assert f"deliveries go to {sent_to}." in notice.message
    assert f"--forward-to {meant}," in notice.hint


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://localhost:3000/webhook", "/"),
        ("http://localhost:3000", "/webhook"),
        ("http://localhost:3000/mywebhook", "/webhook"),
        ("http://localhost:3000/webhook/v1", "/webhook"),
    ],
)
def test_other_paths_are_not_named(target: str, path: str) -> None:
    assert doubled_path([target], path) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "2001:db8::1"])
def test_a_receiver_that_other_machines_can_reach_is_named(host: str) -> None:
    (notice,) = exposed(host)
    assert f"listens on {host}: other machines" in notice.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_receiver_on_a_loopback_address_is_not_named(host: str) -> None:
    assert exposed(host) == []
