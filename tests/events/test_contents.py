"""The content of events as typed records, made from the catalogue."""

import inspect
import json
from typing import Any

import pytest

from tiktok_hook.events import CATALOGUE, contents, parse, sample
from tiktok_hook.events.python_types import module, name_of


def test_the_records_are_those_of_the_catalogue() -> None:
    assert inspect.getsource(contents) == module(), "run `make reference`"


def test_content_comes_as_the_record_of_its_event_and_of_no_other() -> None:
    event = parse(sample("post.publish.failed"))
    assert event is not None
    failed = event.content_as(contents.PostPublishFailedContent)
    assert failed is not None
    assert failed["reason"] == "video_pull_failed"
    assert failed is event.content
    assert event.content_as(contents.PostPublishCompleteContent) is None


def test_content_that_is_not_an_object_has_no_record() -> None:
    event = parse(json.dumps({"event": "post.publish.failed", "content": "text"}).encode())
    assert event is not None
    assert event.content_as(contents.PostPublishFailedContent) is None


@pytest.mark.parametrize("wrong", ["post.publish.failed", dict, None])
def test_another_class_than_a_record_is_a_type_error(wrong: Any) -> None:
    event = parse(sample("post.publish.failed"))
    assert event is not None
    with pytest.raises(TypeError, match=r"is not a record of tiktok_hook\.events\.contents"):
        event.content_as(wrong)


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_event_has_a_record_with_its_fields(name: str) -> None:
    kind = CATALOGUE[name]
    record = getattr(contents, name_of(kind))
    assert contents.CONTENTS[name] is record
    assert {*record.__annotations__} == {field.name for field in kind.fields}
