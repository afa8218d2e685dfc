"""Lines that are not messages, and odd messages: each is answered, none ends the server."""

import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR

from tests import fuzzing
from tests.mcp.test_life import Wire, served

DEEP = b"[" * 100_000 + b"]" * 100_000
_numbers = count(1)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """One server for all of this file."""
    folder = tmp_path_factory.mktemp("wire")
    with served(folder, "--db", str(folder / "history.db")) as wire:
        yield wire


def answers(wire: Wire, line: bytes, *expected: Any) -> list[dict[str, Any]]:
    """Send a line and a ping; what is answered until the ping and the expected ids are."""
    assert wire.process.stdin is not None
    assert wire.process.stdout is not None
    ping = f"ping-{next(_numbers)}"
    request = {"jsonrpc": "2.0", "id": ping, "method": "ping"}
    wire.process.stdin.write(line + b"\n" + json.dumps(request).encode() + b"\n")
    wire.process.stdin.flush()
    missing = [ping, *expected]
    found = []
    while missing:
        message = json.loads(wire.process.stdout.readline())
        assert message["jsonrpc"] == "2.0"
        assert ("result" in message) != ("error" in message)
        if message["id"] in missing:
            missing.remove(message["id"])
        if message["id"] != ping:
            found.append(message)
    return found


@pytest.mark.parametrize(
    "line",
    [b"hello", b'{"jsonrpc":"2.0","id":5,"meth', b"\xff\xfe{}", DEEP, b"9" * 5000, b"NaN,"],
    ids=["text", "cut", "not-utf-8", "deep", "long-number", "comma"],
)
def test_a_line_that_is_not_json_is_answered_with_a_parse_error(wire: Wire, line: bytes) -> None:
    (found,) = answers(wire, line)
    assert (found["id"], found["error"]["code"]) == (None, PARSE_ERROR)


def test_blank_lines_are_not_answered(wire: Wire) -> None:
    assert answers(wire, b"\n \n\r") == []


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("5", None),
        ("null", None),
        ('"text"', None),
        ("[]", None),
        ("[[]]", None),
        ("[5]", None),
        ("[" + ",".join(['{"jsonrpc":"2.0","id":3,"method":"ping"}'] * 101) + "]", None),
        ("{}", None),
        ('{"jsonrpc":"2.0","id":9}', 9),
        ('{"jsonrpc":"1.0","id":"a","method":"ping"}', "a"),
        ('{"id":10,"method":"ping"}', 10),
        ('{"jsonrpc":"2.0","id":11,"method":"tools/call","params":[1]}', 11),
        ('{"jsonrpc":"2.0","id":11,"method":"tools/call","params":"x"}', 11),
        ('{"jsonrpc":"2.0","id":11,"method":5}', 11),
        ('{"jsonrpc":"2.0","id":null,"method":"ping"}', None),
        ('{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', None),
        ('{"jsonrpc":"2.0","id":true,"method":"ping"}', None),
        ('{"jsonrpc":"2.0","id":{"id":4},"method":"ping"}', None),
        ('{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}', None),
    ],
)
def test_json_that_is_not_a_message_is_answered_as_an_invalid_request(
    wire: Wire, message: str, number: Any
) -> None:
    (found,) = answers(wire, message.encode())
    assert (found["id"], found["error"]["code"]) == (number, INVALID_REQUEST)


def test_a_batch_is_answered_message_by_message(wire: Wire) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        {"jsonrpc": "2.0", "id": "b", "method": 5},
        {"jsonrpc": "2.0", "id": "c", "method": "nonsense"},
    ]
    found = answers(wire, json.dumps(batch).encode(), "a", "b", "c")
    codes = {each["id"]: each["error"]["code"] for each in found if "error" in each}
    assert codes == {"b": INVALID_REQUEST, "c": METHOD_NOT_FOUND}
    assert {each["id"] for each in found} == {"a", "b", "c"}


@pytest.mark.parametrize("number", [77, "x[", 'a"id":5'])
@pytest.mark.parametrize("first", [True, False])
def test_a_request_that_is_nested_too_deeply_is_answered_under_its_id(
    wire: Wire,
    number: Any,
    first: bool,  # noqa: FBT001 a case of a table
) -> None:
    arguments = '{"id":1,"x":' + "[" * 300 + "]" * 300 + "}"
    params = f'"params":{{"name":"status","arguments":{arguments}}}'
    own = f'"id" : {json.dumps(number)}'
    fields = ['"jsonrpc":"2.0"', '"method":"tools/call"']
    line = "{" + ",".join([own, *fields, params] if first else [*fields, params, own]) + "}"
    (found,) = answers(wire, line.encode(), number)
    assert (found["id"], found["error"]["code"]) == (number, INVALID_REQUEST)


@pytest.mark.parametrize("text", ['\\"' * 30_000, "\\" * 500_001], ids=["quotes", "escapes"])
def test_a_long_unfinished_text_in_what_is_nested_too_deeply_is_read_once(
    wire: Wire, text: str
) -> None:
    began = time.monotonic()
    (found,) = answers(wire, ('{"x":' + "[" * 300 + '"' + text).encode())
    assert found["error"]["code"] == PARSE_ERROR
    assert time.monotonic() - began < 10, "it took 24 s"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nonsense", {}, METHOD_NOT_FOUND),
        ("tools/call", {"name": 5}, INVALID_PARAMS),
        ("tools/call", {"name": "status", "arguments": []}, INVALID_PARAMS),
        ("tools/call", {"name": "x" * 1_000_000}, INVALID_PARAMS),
        ("resources/read", {"uri": 5}, INVALID_PARAMS),
        ("resources/read", {"uri": "\0"}, INVALID_PARAMS),
        ("resources/read", {"uri": f"tiktok-hook://deliveries/{10**400}"}, INVALID_PARAMS),
        ("prompts/get", {"name": "write_webhook_handler", "arguments": {"framework": 5}}, None),
        ("initialize", {}, INVALID_PARAMS),
    ],
)
@pytest.mark.parametrize(
    "number", [0, -1, 10**400, "", "x" * 100_000], ids=["0", "-1", "huge", "empty", "long"]
)
def test_a_request_is_answered_under_its_id(
    wire: Wire, method: str, params: dict[str, Any], code: int | None, number: Any
) -> None:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    (found,) = answers(wire, json.dumps(message).encode(), number)
    assert found["error"]["code"] == (code or INVALID_PARAMS)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server whose client declares that it can ask its user."""
    folder = tmp_path_factory.mktemp("asking")
    options = ("--db", str(folder / "history.db"))
    with served(folder, *options, capabilities={"elicitation": {}}) as wire:
        yield wire


@pytest.mark.parametrize(
    "answer",
    [
        {"result": None},
        {"result": 5},
        {"result": {}},
        {"result": {"action": "perhaps"}},
        {"error": {"code": METHOD_NOT_FOUND, "message": "no"}},
        {"error": "no"},
    ],
    ids=json.dumps,
)
def test_an_answer_that_is_none_is_a_denial(asking: Wire, answer: dict[str, Any]) -> None:
    assert asking.process.stdin is not None
    assert asking.process.stdout is not None
    arguments = {"event": "tiktok.ping", "to": "http://127.0.0.1:9/"}
    asking.send("tools/call", name="trigger_event", arguments=arguments)
    question = json.loads(asking.process.stdout.readline())
    assert question["method"] == "elicitation/create"
    reply = {"jsonrpc": "2.0", "id": question["id"], **answer}
    asking.process.stdin.write(json.dumps(reply).encode() + b"\n")
    asking.process.stdin.flush()
    result = asking.answer()
    assert result["isError"]
    assert "did not ask its user" in result["content"][0]["text"]


READING = ("status", "list_deliveries", "get_delivery", "list_attempts", "diagnose_signature")
ARGUMENTS = (
    "id", "filter", "verdict", "failed", "source", "since", "until", "limit", "before", "header",
    "body", "body_base64", "tolerance", "event", "samples", "ids", "redact",
)  # fmt: skip

calls = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*READING, "list_events", "export_as_pytest"]),
        "arguments": st.dictionaries(
            st.sampled_from(ARGUMENTS),
            fuzzing.json_values | st.integers() | st.sampled_from([10**300, -(2**63), 1e308, ""]),
            max_size=4,
        ),
    }
)
anything = fuzzing.json_values | st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | fuzzing.json_values},
    optional={
        "id": fuzzing.json_values,
        "method": st.sampled_from(["ping", "tools/list", "tools/call", "prompts/get"])
        | fuzzing.json_values,
        "params": fuzzing.json_values,
        "result": fuzzing.json_values,
        "error": fuzzing.json_values,
    },
)


@pytest.mark.hypothesis
@given(anything)
def test_any_json_leaves_the_server_alive(wire: Wire, message: Any) -> None:
    answers(wire, json.dumps(message).encode())


@pytest.mark.hypothesis
@given(calls)
def test_any_arguments_are_answered_by_a_result_or_an_error(
    wire: Wire, params: dict[str, Any]
) -> None:
    number = f"call-{next(_numbers)}"
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    found = answers(wire, json.dumps(message).encode(), number)
    answer = next(each for each in found if each["id"] == number)
    if "error" in answer:
        assert answer["error"]["code"] == INVALID_PARAMS
    elif answer["result"]["isError"]:
        (content,) = answer["result"]["content"]
        assert json.loads(content["text"]).keys() == {"message", "hint", "exit_code"}
