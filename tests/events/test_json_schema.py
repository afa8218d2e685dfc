"""The schemas are valid, every sample is valid against its own, and they leave room for news."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from tiktok_hook.events import CATALOGUE, differences, parse
from tiktok_hook.events.json_schema import document


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from objects(each)


WHOLE = document()
BODIES = jsonschema_rs.Draft202012Validator(WHOLE)


def of_content(name: str) -> Any:
    """The validator of an event's decoded content."""
    schema = {**WHOLE["$defs"][f"{name}.content"], "$schema": WHOLE["$schema"]}
    return jsonschema_rs.Draft202012Validator(schema)


def changed(name: str, **keys: Any) -> dict[str, Any]:
    return {**json.loads(CATALOGUE[name].sample), **keys}


def test_the_document_is_a_valid_schema() -> None:
    jsonschema_rs.meta.validate(WHOLE)
    assert json.loads(json.dumps(WHOLE)) == WHOLE


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_sample_is_valid_against_its_schema_and_no_other(name: str) -> None:
    body = json.loads(CATALOGUE[name].sample)
    BODIES.validate(body)
    of_content(name).validate(json.loads(body["content"]))
    schema = WHOLE["$defs"][name]
    assert schema["examples"] == [body]
    assert schema["properties"]["content"]["contentSchema"] == {"$ref": f"#/$defs/{name}.content"}


def test_every_event_field_and_value_carries_its_mark_and_every_event_its_source() -> None:
    for name, kind in CATALOGUE.items():
        for schema in (WHOLE["$defs"][name], WHOLE["$defs"][f"{name}.content"]):
            assert schema["x-source"] == kind.url
            assert schema["x-confidence"] in {"documented", "seen", "inferred"}
    found = [each for each in objects(WHOLE["$defs"]) if "const" in each or "pattern" in each]
    values = [each for each in found if "title" not in each and each.get("const") not in CATALOGUE]
    assert len(values) > 100
    assert {each["x-confidence"] for each in values} == {"documented", "seen", "inferred"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(changed("authorization.removed", event="user.follow"), id="unknown-event"),
        pytest.param(changed("authorization.removed", content={"reason": 1}), id="content-object"),
        pytest.param(changed("authorization.removed", create_time="1"), id="time-as-text"),
        pytest.param({"event": "authorization.removed"}, id="keys-missing"),
        pytest.param([], id="list"),
    ],
)
def test_another_body_is_invalid(body: Any) -> None:
    assert not BODIES.is_valid(body)
    event = parse(json.dumps(body).encode())
    assert event is None or differences(event)


@pytest.mark.parametrize(
    ("name", "content", "valid"),
    [
        ("post.publish.failed", {"reason": "new", "publish_id": "v_new~1", "x": 1}, False),
        (
            "post.publish.failed",
            {"reason": "new", "publish_id": "v_new~1", "publish_type": "NEW", "x": 1},
            True,
        ),
        ("authorization.removed", {"reason": 99}, True),
        ("authorization.removed", {"reason": "1"}, False),
        ("minis.trade_order.redeem.success", {"trade_order_id": "1", "order_id": "2"}, True),
    ],
    ids=["missing", "news", "new-number", "other-type", "optional"],
)
def test_new_keys_and_values_are_valid_and_missing_ones_are_not(
    name: str, content: Any, *, valid: bool
) -> None:
    assert of_content(name).is_valid(content) == valid


def test_a_document_of_one_event_takes_no_other() -> None:
    only = jsonschema_rs.Draft202012Validator(document([CATALOGUE["tiktok.ping"]]))
    assert only.is_valid(json.loads(CATALOGUE["tiktok.ping"].sample))
    assert not only.is_valid(json.loads(CATALOGUE["comment.update"].sample))
