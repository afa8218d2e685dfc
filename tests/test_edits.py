"""Edits change what they name and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_hook.edits import EditError, apply, assignments
from tiktok_hook.errors import UsageError

BODY = (
    b'{"client_key":"awexampleclient1","event":"post.publish.failed","create_time":1756684800,'
    b'"user_openid":"-000Example","content":"{\\"publish_id\\":\\"v_pub_url~1\\",'
    b'\\"reason\\":\\"internal\\",\\"n\\":7545201234567890123}"}'
)
NESTED = b'{"event":"x","items":[{"id":1},{"id":2}],"a.b":{"c":1.10},"empty":[]}'
REMOVED = b'{"event":"authorization.removed","create_time":1,"content":"{\\"reason\\": 1 }"}'


def content(body: bytes) -> object:
    return json.loads(json.loads(body)["content"])


def test_without_edits_the_body_itself_comes_back() -> None:
    body = b" { not even JSON"
    assert apply(body) is body


def test_a_value_inside_content_is_changed_and_content_stays_a_string() -> None:
    assert apply(BODY, sets=["content.publish_id=v_pub_file~2"]) == BODY.replace(
        b"v_pub_url~1", b"v_pub_file~2"
    )


def test_content_keeps_its_own_text_unless_an_edit_reaches_into_it() -> None:
    edited = apply(REMOVED, sets=["create_time=2"])
    assert edited == REMOVED.replace(b'"create_time":1', b'"create_time":2')
    assert apply(REMOVED, sets=["content.reason=5"]).endswith(b'"content":"{\\"reason\\":5}"}')


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("7545201234567890124", "7545201234567890124"),
        ("1.10", "1.10"),
        ("1e400", "1e400"),
        ('"7"', '"7"'),
        ("true", "true"),
        ("null", "null"),
        ('{"a": [1]}', '{"a":[1]}'),
        ("plain words", '"plain words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ("café ✓", '"café ✓"'),
        ("NaN", '"NaN"'),
        ("[" * 200, json.dumps("[" * 200)),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_a_value_is_json_where_it_reads_as_json_otherwise_text(value: str, written: str) -> None:
    assert apply(b'{"event":"x"}', sets=[f"event={value}"]) == f'{{"event":{written}}}'.encode()


def test_several_edits_are_made_in_order_and_unset_comes_last() -> None:
    edited = apply(
        BODY,
        sets=["event=a", "event=b", "content.n=1"],
        unsets=["content.reason", "user_openid"],
    )
    assert edited == (
        b'{"client_key":"awexampleclient1","event":"b","create_time":1756684800,'
        b'"content":"{\\"publish_id\\":\\"v_pub_url~1\\",\\"n\\":1}"}'
    )


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("items.1.id=9", b'{"event":"x","items":[{"id":1},{"id":9}],"a.b":{"c":1.10},"empty":[]}'),
        ("items.0=0", b'{"event":"x","items":[0,{"id":2}],"a.b":{"c":1.10},"empty":[]}'),
        (
            "items.2+=3",
            b'{"event":"x","items":[{"id":1},{"id":2},3],"a.b":{"c":1.10},"empty":[]}',
        ),
        ("a\\.b.c=2", b'{"event":"x","items":[{"id":1},{"id":2}],"a.b":{"c":2},"empty":[]}'),
        (
            "a\\.b.d+=2",
            b'{"event":"x","items":[{"id":1},{"id":2}],"a.b":{"c":1.10,"d":2},"empty":[]}',
        ),
        ("empty.0+=1", b'{"event":"x","items":[{"id":1},{"id":2}],"a.b":{"c":1.10},"empty":[1]}'),
    ],
)
def test_lists_and_keys_with_dots_are_reached(edit: str, expected: bytes) -> None:
    assert apply(NESTED, sets=[edit]) == expected


def test_an_item_of_a_list_is_taken_out() -> None:
    assert json.loads(apply(NESTED, unsets=["items.0"]))["items"] == [{"id": 2}]


def test_the_whole_content_is_set_as_an_object_and_written_as_a_string() -> None:
    assert content(apply(BODY, sets=['content={"reason":1}'])) == {"reason": 1}
    assert content(apply(b'{"event":"x"}', sets=['content+={"reason":1}'])) == {"reason": 1}
    edited = apply(BODY, sets=['content={"a":1}', "content.a=2"])
    assert content(edited) == {"a": 2}


def test_content_may_be_set_to_text_and_taken_out() -> None:
    assert json.loads(apply(BODY, sets=["content=no json"]))["content"] == "no json"
    assert "content" not in json.loads(apply(BODY, unsets=["content"]))
    assert json.loads(apply(BODY, sets=["content=null"]))["content"] is None


def test_content_that_came_as_an_object_stays_one() -> None:
    body = b'{"event":"x","content":{"a":1}}'
    assert apply(body, sets=["content.a=2"]) == b'{"event":"x","content":{"a":2}}'


@pytest.mark.parametrize(
    ("edit", "message", "nearest"),
    [
        pytest.param(
            "content.publsh_id=1",
            "There is no content.publsh_id in this event",
            "Nearest: content.publish_id",
            id="typing-mistake",
        ),
        pytest.param(
            "publish_id=1",
            "There is no publish_id in this event",
            "Nearest: content.publish_id",
            id="content-forgotten",
        ),
        pytest.param("Event=1", "There is no Event in this event", "Nearest: event", id="case"),
        pytest.param(
            "zzz=1",
            "There is no zzz in this event",
            "Nearest: client_key, event, create_time",
            id="nothing",
        ),
        pytest.param(
            "content.x.y=1",
            "There is no content.x in this event",
            "PATH+=VALUE",
            id="middle-missing",
        ),
        pytest.param(
            "event.x=1",
            "event.x cannot be reached: there is neither",
            "PATH+=VALUE",
            id="in-a-text",
        ),
        pytest.param(
            "content.n.x+=1", "content.n.x cannot be reached", "PATH+=VALUE", id="in-a-number"
        ),
    ],
)
def test_a_path_that_does_not_exist_is_an_error_with_the_nearest_names(
    edit: str, message: str, nearest: str
) -> None:
    with pytest.raises(EditError) as caught:
        apply(BODY, sets=[edit])
    assert str(caught.value).startswith(message)
    assert nearest in caught.value.hint
    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("path", ["nothing", "content.nothing", "content.n.x"])
def test_unsetting_what_is_not_there_is_an_error(path: str) -> None:
    with pytest.raises(EditError):
        apply(BODY, unsets=[path])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("items.2=1", "There is no item 2: the list items has 2 items, counted from 0"),
        ("items.3+=1", "There is no item 3: the list items has 2 items, counted from 0"),
        ("items.-1=1", "There is no item -1: the list items has 2"),
        ("items.x.id=1", "There is no item x: the list items has 2"),
        ("items.²=1", "There is no item ²: the list items has 2"),
        ("empty.0=1", "There is no item 0: the list empty is empty"),
    ],
)
def test_a_place_outside_a_list_is_an_error(edit: str, message: str) -> None:
    with pytest.raises(EditError) as caught:
        apply(NESTED, sets=[edit])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("event", "'event' has no value: use PATH=VALUE."),
        ("=1", "'' is not a path."),
        ("a..b=1", "'a..b' is not a path."),
        (".a=1", "'.a' is not a path."),
        ("+=1", "'' is not a path."),
        ("a." * 200 + "a=1", "'a.a.a."),
    ],
)
def test_an_invalid_assignment_is_an_error(edit: str, message: str) -> None:
    with pytest.raises(EditError) as caught:
        apply(BODY, sets=[edit])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"hello", "The body cannot be edited: not JSON: expecting value at column 1."),
        (b"", "The body cannot be edited: not JSON: expecting value at column 1."),
        (b"\xff", "The body cannot be edited: not UTF-8 text."),
        (b"[1]", "The body is not a JSON object."),
    ],
)
def test_a_body_that_is_not_a_json_object_cannot_be_edited(body: bytes, message: str) -> None:
    with pytest.raises(EditError, match=message):
        apply(body, sets=["event=x"])


def test_hostile_keys_are_shown_escaped() -> None:
    with pytest.raises(EditError) as caught:
        apply(b'{"ev\\u001b[31m":1}', sets=["ev=1"])
    assert "\\x1b" in caught.value.hint
    assert caught.value.hint.isprintable()


def test_a_huge_body_is_searched_for_names_only_so_far() -> None:
    body = json.dumps({f"key{number}": {"x" * 500: 1} for number in range(20_000)}).encode()
    with pytest.raises(EditError) as caught:
        apply(body, sets=["keyy=1"])
    assert len(caught.value.hint) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(
    body=st.dictionaries(st.sampled_from(["event", "content", "a"]), json_values).map(
        lambda value: json.dumps(value).encode()
    ),
    sets=st.lists(
        st.text(max_size=12)
        | st.tuples(
            st.sampled_from(["event", "content", "content.a", "a.0", "a+", "content.b+", "a.0+"]),
            st.text(max_size=5) | json_values.map(json.dumps),
        ).map("=".join),
        max_size=3,
    ),
    unsets=st.lists(st.sampled_from(["event", "content.a", "a.0", "x"]), max_size=2),
)
def test_an_edit_gives_json_or_an_edit_error(
    body: bytes, sets: list[str], unsets: list[str]
) -> None:
    try:
        edited = apply(body, sets=sets, unsets=unsets)
    except EditError:
        return
    assert isinstance(json.loads(edited), dict)


@given(
    values=st.dictionaries(st.sampled_from(["a", "b", "event", "create_time"]), json_values),
    content=st.dictionaries(
        st.sampled_from(["a", "publish_id", "reason"]), json_values, min_size=1
    ),
    new=json_values,
    data=st.data(),
)
def test_an_edit_changes_what_it_names_and_nothing_else(
    values: dict[str, object], content: dict[str, object], new: object, data: st.DataObject
) -> None:
    body = json.dumps({**values, "content": json.dumps(content)}).encode()
    name = data.draw(st.sampled_from([*values, *(f"content.{key}" for key in content)]))
    edited = json.loads(apply(body, sets=[f"{name}={json.dumps(new)}"]))
    edited["content"] = json.loads(edited["content"])
    inner, expected = content, {**values, "content": content}
    if name.startswith("content."):
        inner[name.removeprefix("content.")] = new
    else:
        expected[name] = new
    assert edited == expected
    assert list(edited) == list(expected)


def test_assignments_of_values_take_them_as_they_are() -> None:
    sets = assignments({"event": "7", "content.new+": ["ü", None], "create_time": 12})
    body = apply(b'{"event":"a","create_time":1,"content":"{}"}', sets=sets)
    assert body == '{"event":"7","create_time":12,"content":"{\\"new\\":[\\"ü\\",null]}"}'.encode()
