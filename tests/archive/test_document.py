"""A document's records are found without parsing all of it, and it is valid or not as before."""

import json

import pytest

from tiktok_hook.archive import document
from tiktok_hook.archive.document import (
    SHOWN,
    Records,
    element,
    elements,
    outline,
    readable_entries,
)

pytestmark = pytest.mark.timeless

VALID = [
    '{"log":{"version":"1.2","entries":[ {"a":1} , [2] ,"x"],"comment":[ ]}}',
    ' \n[1,2,{"a":[3,[4]]}]\t',
    '{"a":[1],"b":{"entries":[2]},"log":[3],"c":"log"}',
    '{"log":{"log":{"entries":[1]}}}',
    "{}",
    "[]",
    "{ }",
    "7",
    '"text"',
    "null",
    '{"a":1,"a":[2]}',
]
INVALID = [
    "",
    "{",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[1 2]",
    "[,1]",
    "{1:2}",
    '{"a"}',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{"log":{"entries":[1}}',
    "[] x",
    "{}{}",
    '{"log":{"entries":[1]}',
]


@pytest.mark.parametrize("text", VALID)
def test_a_small_document_is_outlined_completely(text: str) -> None:
    assert outline(text) == json.loads(text)


@pytest.mark.parametrize("text", INVALID)
def test_what_is_not_json_is_rejected_at_the_same_place(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as found:
        outline(text)
    assert abs(found.value.pos - expected.value.pos) <= 1  # newer Pythons point at the comma


def test_every_element_is_read_by_itself_from_its_place() -> None:
    values = [{"n": number, "é": ["\u4e2d"]} for number in range(3 * SHOWN)]
    text = json.dumps({"log": {"pages": [], "entries": values}}, indent=1, ensure_ascii=False)
    records = outline(text)["log"]["entries"]  # type: ignore[call-overload, index] # JSON of any kind
    assert isinstance(records, Records)
    assert (records, records.length) == (values[:SHOWN], len(values))
    found = list(elements(text, records))
    assert [value for _, value in found] == values
    assert [element(text, at) for at, _ in found] == values


def test_of_a_long_list_no_more_than_the_first_megabyte_is_kept() -> None:
    text = json.dumps(["x" * 600_000] * 4)
    records = outline(text)
    assert isinstance(records, Records)
    assert (len(records), records.length) == (1, 4)


@pytest.mark.parametrize("cut", [1, 8, 18])
def test_entries_before_a_cut_are_counted(cut: int) -> None:
    text = '{"log":{"entries":[{"a":1},{"b":2},{"c":[1,2,3,4]}]}}'[:-cut]
    readable = readable_entries(text)
    assert readable is not None
    records, has_end = readable
    expected = [{"a": 1}, {"b": 2}, {"c": [1, 2, 3, 4]}]
    assert [value for _, value in elements(text, records)] == expected[: 3 if cut == 1 else 2]
    assert has_end is (cut == 1)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            '{"request":{"method":"POST","url":"/","headers":[{"name":"a"},{"name": }]}}',
            "Expecting",
        ),
        ('{"request":{"method":"POST","url":"/","postData":{"text":"{"a":1}, {"b":2}"}}}', "','"),
        ('{"request":{"method":"POST"},{"url":"/"}}', "property name"),
        ('{"request":{"method":"POST","url":"\\x41"}}', "escape"),
        ('{"request":' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deep"),
    ],
    ids=["value", "quotes", "comma", "escape", "depth"],
)
def test_an_entry_that_is_not_json_is_left_out_with_its_reason(broken: str, reason: str) -> None:
    good = [{"request": {"method": "POST", "url": f"/{n}", "headers": [{}, {}]}} for n in range(3)]
    first, second, third = map(json.dumps, good)
    text = f'{{"log":{{"entries":[{first},{broken},\n {second},{broken},{third}]}}}}'
    readable = readable_entries(text)
    assert readable is not None
    records, has_end = readable
    assert has_end
    found = [value for _, value in elements(text, records)]
    assert [each for each in found if not isinstance(each, ValueError)] == good
    assert all(reason in str(found[place]) for place in (1, 3))
    assert [element(text, at) for at, _ in list(elements(text, records))[::2]] == good


@pytest.mark.parametrize(("failures", "length"), [(8, 3), (5, 1)])
def test_what_is_not_json_is_read_again_a_limited_number_of_times(
    monkeypatch: pytest.MonkeyPatch, failures: int, length: int
) -> None:
    monkeypatch.setattr(document, "_MAX_FAILURES", failures)
    good = '{"request":{"method":"POST","url":"/"}}'
    broken = '{"a":{}' + ', {"b": }' * 6
    text = f'{{"log":{{"entries":[{good},{broken},{good}]}}}}'
    readable = readable_entries(text)
    assert readable is not None
    assert (readable[0].length, readable[1]) == (length, length > 1)


def test_after_a_last_entry_that_is_not_json_the_file_counts_as_cut() -> None:
    text = '{"log":{"entries":[{"a":1},{"b":}]}}'
    readable = readable_entries(text)
    assert readable is not None
    assert (readable[0].length, readable[1]) == (1, False)
    assert readable_entries('{"log":{"entries":[{"b":}]}}') is None
