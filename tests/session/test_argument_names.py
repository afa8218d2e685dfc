"""Errors of `listen` in Python name its arguments, not the options of the command line."""

import socket
from typing import Any

import pytest

import tiktok_hook
from tiktok_hook.errors import HookError
from tiktok_hook.session.argument_names import in_python

LOCAL: dict[str, Any] = {"tunnel": False, "inspect": False, "port": 0, "ephemeral": True}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"ack": "later", "forward_to": 1}, "ack='later' is neither app", "500 makes"),
        ({"ack": "first"}, "ack needs a target.", "Add forward_to=3000."),
        ({"pass_through": True}, "pass_through=True needs a target.", "Add forward_to=3000."),
        ({"headers": ["X-A: 1"]}, "headers needs a target.", "Add forward_to=3000."),
        ({"path": "tiktok"}, "path='tiktok' does not begin with a slash.", ""),
        ({"path": "/a?b"}, "path='/a?b' is more than a path.", "Give a path"),
        ({"retry_for": "soon", "forward_to": 1}, "retry_for='soon' is not", "retry_for='3d'."),
        ({"tunnel": True, "public_url": "https://x.example"}, "public_url names", "tunnel=False."),
        ({"public_url": "x.example"}, "public_url='x.example' is not a URL.", "public_url='https:"),
        (
            {"verify_webhook": "tiktok", "tunnel": True},
            "verify_webhook=True needs",
            "Give secret=….",
        ),
        ({"command": ["npm", "start"]}, "", "Add forward_to=3000."),
        ({"forward_to": "http://u:p@localhost:1"}, "", "headers=['Authorization: Basic …']"),
        ({"answers": [("post.*", "20")]}, "", ""),
        ({"port": 99999}, "port=99999 is not a port.", ""),
        ({"secret": " "}, "", ""),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_argument_is_called_by_its_name(
    arguments: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(HookError) as caught:
        async with tiktok_hook.listen(**LOCAL | arguments):
            pass
    error = caught.value
    assert message in str(error)
    assert hint in error.hint
    assert "--" not in str(error) + error.hint
    assert getattr(error, "__notes__", []) == ([f"Hint: {error.hint}"] if error.hint else [])


async def test_a_port_in_use_names_the_argument_for_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(HookError) as caught:
            async with tiktok_hook.listen(**LOCAL | {"port": number}):
                pass
    assert "--" not in str(caught.value) + caught.value.hint
    assert "port=" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("route", "Hint: It is called routes."),
        ("max_body", "Hint: It is called max_body_bytes."),
        ("tunel", "Hint: Did you mean tunnel?"),
    ],
)
def test_an_unknown_argument_has_the_one_that_is_meant_as_a_note(name: str, note: str) -> None:
    with pytest.raises(TypeError, match=rf"^listen\(\) has no argument '{name}'") as caught:
        tiktok_hook.listen(**LOCAL | {name: ()})
    assert caught.value.__notes__ == [note]


def test_a_session_without_an_event_loop_names_arguments_too() -> None:
    with (
        pytest.raises(HookError, match="port=99999 is not a port"),
        tiktok_hook.listening(**LOCAL | {"port": 99999}),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Add --no-tunnel.", "Add tunnel=False."),
        ("set NGROK_AUTHTOKEN, or use --no-tunnel.", "set NGROK_AUTHTOKEN, or use tunnel=False."),
        ("or give --authtoken.", "or give authtoken."),
        ("--forward-to 3000, --forward-to 3001", "forward_to=3000, forward_to=3001"),
        ("--skip-verify and --pass", "insecure=True and pass_through=True"),
        ("replay --pending sends them", "replay --pending sends them"),
        ("a -- b --", "a -- b --"),
        ("", ""),
    ],
)
def test_options_in_a_text_become_arguments(text: str, shown: str) -> None:
    assert in_python(text) == shown
