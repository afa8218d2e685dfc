"""The options of a session: one field each, from which everything else is derived."""

import inspect
from dataclasses import fields
from typing import Any

import pytest

import tiktok_hook
from tests import reference
from tiktok_hook.errors import UsageError
from tiktok_hook.option_fields import flag_of, info_of
from tiktok_hook.session import ListenOptions, startup_notices

SECRET = "tiktok-client-secret"


def test_every_field_is_an_option_of_the_command_and_an_argument_of_listen() -> None:
    command = {option.name: option for option in reference.options("listen")}
    arguments = inspect.signature(tiktok_hook.listen).parameters
    for each in fields(ListenOptions):
        assert each.name in arguments
        info = info_of(each)
        if info is not None and not info.shared:
            assert flag_of(each, info).split("/")[0] in command[each.name].opts


@pytest.mark.parametrize("value", ["later", "600", "", 600, True])
def test_an_ack_mode_that_is_not_one_is_a_usage_error(value: Any) -> None:
    with pytest.raises(UsageError, match="--ack"):
        ListenOptions(ack=value, forward_to="3000")


@pytest.mark.parametrize(("value", "mode"), [("first", "first"), ("503", 503), (503, 503)])
def test_an_ack_mode_may_be_a_word_a_number_or_its_text(value: Any, mode: object) -> None:
    assert ListenOptions(ack=value, forward_to="3000").ack_mode == mode


@pytest.mark.parametrize("value", [3000, "3000", ["3000"], (3000,)], ids=repr)
def test_a_target_may_be_a_number_a_text_or_several(value: Any) -> None:
    assert [url.rpartition(":")[2] for url in ListenOptions(forward_to=value).targets] == ["3000"]


def test_an_unknown_argument_is_a_type_error() -> None:
    wrong: dict[str, Any] = {"forward_too": "3000"}
    with pytest.raises(TypeError, match="forward_too"):
        tiktok_hook.listen(**wrong)


def test_no_secret_is_in_the_text_of_the_options() -> None:
    text = repr(
        ListenOptions(secret=SECRET, authtoken="a-token", headers=["X: value"], forward_to=1)
    )
    for hidden in (SECRET, "a-token", "value"):
        assert hidden not in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"forward_to": "3000", "ephemeral": True}, "--as is for a shared history"),
        ({"db": "postgresql://db.example.com/hooks"}, "--as needs a target"),
    ],
    ids=["file", "no-target"],
)
def test_a_name_needs_a_shared_history_and_a_target(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ListenOptions(attach_as="anna", **given)


def test_a_route_is_a_target_and_needs_no_other() -> None:
    options = ListenOptions(routes=[("post.*", "3000"), ("else", "4000")], ack="first")
    assert [url.rpartition(":")[2] for url in options.targets] == ["3000", "4000"]
    assert options.targets_for_all == ()


def test_a_mistyped_filter_of_a_route_or_an_answer_is_noticed() -> None:
    options = ListenOptions(
        routes=[("post.publish.failde", "3000")], answers=[("video.*", "500")], forward_to="3001"
    )
    (notice,) = startup_notices.warnings(options)
    assert "post.publish.failde matches no known event" in notice.message
