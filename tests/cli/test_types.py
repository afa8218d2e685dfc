"""`tiktok-hook types`: which events are printed, and in which form."""

import json

import pytest

from tests.cli.runner import invoke
from tiktok_hook.events import CATALOGUE


def test_without_a_name_all_events_are_printed_as_json_schema() -> None:
    result = invoke("types")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert len(found["oneOf"]) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["tiktok.ping"], ["tiktok.ping"]),
        (["comment.update", "tiktok.p*", "tiktok.ping"], ["comment.update", "tiktok.ping"]),
        (
            ["post.publish.no_longer_publicly_available"],
            ["post.publish.no_longer_publicaly_available"],
        ),
    ],
    ids=["one", "globs", "other-spelling"],
)
def test_names_and_globs_choose_events_in_their_order(
    names: list[str], expected: list[str]
) -> None:
    found = json.loads(invoke("types", *names, "--format", "asyncapi").stdout)
    assert found["asyncapi"] == "3.0.0"
    assert [each["name"] for each in found["components"]["messages"].values()] == expected


def test_typescript_is_a_module() -> None:
    text = invoke("types", "tiktok.ping", "--format", "typescript").stdout
    assert "export interface TiktokPing extends Envelope {\n" in text
    assert text.endswith(";\n")


def test_an_unknown_name_is_a_usage_error_with_the_nearest_one() -> None:
    result = invoke("types", "tiktok.pong")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: There is no event 'tiktok.pong' in the catalogue.\n"
        "Hint: Did you mean tiktok.ping?\n"
    )
