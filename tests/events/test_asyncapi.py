"""The AsyncAPI document is valid against AsyncAPI's own schema, and holds every event."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tiktok_hook.events import CATALOGUE
from tiktok_hook.events.asyncapi import document

SPECIFICATION = (
    Path(__file__).parents[2]
    / ".venv/page/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"
)


@pytest.fixture(scope="module")
def specification() -> Any:
    """AsyncAPI's schema of a document, from npm's package of it."""
    if not SPECIFICATION.exists():
        assert not os.environ.get("CI"), "make lint installs npm's @asyncapi/specs"
        pytest.skip("npm's @asyncapi/specs is not installed: make lint")
    return jsonschema_rs.validator_for(json.loads(SPECIFICATION.read_text("utf-8")))


def test_the_document_is_valid(specification: Any) -> None:
    specification.validate(document())


def test_the_validator_finds_a_wrong_document(specification: Any) -> None:
    wrong = document()
    wrong["operations"]["receive"]["action"] = "listen"
    assert not specification.is_valid(wrong)


def test_each_event_is_a_message_that_the_callback_url_receives() -> None:
    found = document()
    messages = found["components"]["messages"]
    assert [each["name"] for each in messages.values()] == list(CATALOGUE)
    references = [each["$ref"] for each in found["operations"]["receive"]["messages"]]
    assert references == [f"#/channels/callback/messages/{key}" for key in messages]
    assert list(found["channels"]["callback"]["messages"]) == list(messages)
    assert found["channels"]["callback"]["address"] is None


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_sample_is_valid_against_the_wrapped_schemas(name: str) -> None:
    found = document([CATALOGUE[name]])
    (message,) = found["components"]["messages"].values()
    wrapped = found["components"]["schemas"][message["payload"]["$ref"].rpartition("/")[2]]
    assert wrapped["schemaFormat"] == "application/schema+json;version=draft-2020-12"
    body = message["examples"][0]["payload"]
    jsonschema_rs.Draft202012Validator(wrapped["schema"]).validate(body)
    content = wrapped["schema"]["properties"]["content"]["contentSchema"]
    jsonschema_rs.Draft202012Validator(content).validate(json.loads(body["content"]))
