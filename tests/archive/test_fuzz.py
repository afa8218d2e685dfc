"""Random deliveries and edited files: exporting and importing never fails with a traceback."""

import ast
import io
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tests.archive.samples import (
    ATTEMPTS,
    AWKWARD,
    as_imported,
    entry,
    exported,
    imported,
    lines,
    loaded,
)
from tests.archive.strategies import attempts, bodies, deliveries
from tests.terminal.drawn import drawn
from tiktok_hook import archive
from tiktok_hook.archive import Entry
from tiktok_hook.delivery import Attempt, Delivery
from tiktok_hook.errors import UsageError
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal.blocks import delivery_block

FORMATS: tuple[archive.Format, ...] = get_args(archive.Format)
FORMS = pytest.mark.parametrize("form", ["jsonl", "har"])


@FORMS
@fuzzing.one_in(4)
@given(sent=deliveries, tried=st.lists(attempts, max_size=2).map(tuple))
def test_any_delivery_and_its_attempts_come_back_as_they_were(
    form: archive.Format, sent: Delivery, tried: tuple[Attempt, ...]
) -> None:
    (found,) = loaded(exported([Entry(sent.replace(id=7), tried)], form))
    assert found == Entry(as_imported(sent), tried)


SAMPLES = [entry(each, number, ATTEMPTS) for number, each in enumerate(AWKWARD.values(), 1)]
FILES = [exported([each], form) for form in ("jsonl", "har") for each in SAMPLES]
SHAPES = [json.loads(line) for each in SAMPLES[:2] for line in exported([each]).splitlines()]
FIELDS = st.sampled_from(sorted({name for shape in SHAPES for name in shape}))
TIMES = st.datetimes(timezones=st.timezones()).map(str) | st.sampled_from(
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
)
ANY = st.dictionaries(FIELDS, fuzzing.json_values, max_size=2)
FITTING: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "received_at": TIMES,
        "started_at": TIMES,
        "headers": st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)).map(list)),
        "body": st.text(max_size=9),
        "path": st.text(max_size=9),
        "target": st.text(max_size=9),
        "hint": st.text(max_size=9),
        "status": st.integers(),
        "id": st.integers(),
        "delivery_id": st.integers(),
        "duration_ms": st.floats() | st.integers(),
    },
)


def with_fields(changes: dict[str, Any], shape: dict[str, Any], *, in_har: bool) -> bytes:
    """A file with one delivery, or one attempt, of which some fields have other values."""
    if not in_har:
        return lines({**SHAPES[0], "id": 1}, {**shape, **changes})
    document = json.loads(exported(SAMPLES[:1], "har"))
    for each in document["log"]["entries"]:
        each["_tiktok_hook"].update(changes)
        each["request"].update(changes)
    return json.dumps(document).encode()


EDITED = st.one_of(
    st.builds(fuzzing.changed, st.sampled_from(FILES), fuzzing.changes),
    st.builds(
        with_fields,
        ANY | FITTING | FITTING,
        st.sampled_from(SHAPES),
        in_har=st.booleans(),
    ),
    st.lists(fuzzing.json_values, max_size=3).map(
        lambda values: b"\n".join(json.dumps(each).encode() for each in values)
    ),
    st.binary(max_size=40),
)


@fuzzing.one_in(10)
@given(EDITED)
async def test_any_file_is_imported_shown_and_exported_again_or_rejected_with_a_hint(
    data: bytes,
) -> None:
    try:
        found = await imported(data)
    except UsageError as error:
        fuzzing.check_error(error)
        return
    assert len(found) == archive.load(io.BytesIO(data), "FILE").deliveries
    for form in FORMATS:
        data = exported(found, form)
        if form in {"jsonl", "har"}:
            again = loaded(data)
            assert [each.delivery.body for each in again] == [each.delivery.body for each in found]
    for each in found:
        block = drawn(delivery_block(each.delivery, attempts=each.attempts))
        assert visible(block, keep_newlines=True) == block


@fuzzing.one_in(10)
@given(st.lists(deliveries, min_size=1, max_size=3))
def test_a_pytest_module_is_python_that_holds_every_body(sent: list[Delivery]) -> None:
    tree = ast.parse(exported([Entry(each) for each in sent], "pytest"))
    held = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)]
    assert all(each.body in held for each in sent)


users = st.from_regex("Z[A-Za-z0-9_-]{7,30}", fullmatch=True)  # unlike any pseudonym


@fuzzing.one_in(4)
@given(
    user=users,
    before=st.text(max_size=5),
    after=bodies,
    sent=deliveries,
)
def test_a_user_id_is_replaced_everywhere_in_a_delivery(
    user: str, before: str, after: bytes, sent: Delivery
) -> None:
    body = json.dumps({"event": "e", "user_openid": user, "note": f"{before} {user}"}).encode()
    known = sent.replace(body=body, path=f"/u/{user}")
    other = sent.replace(body=after + b" " + user.encode() + b" ")
    first, second = archive.redacted(lambda: [Entry(other), Entry(known)])
    for each in (first, second):
        assert user.encode() not in each.delivery.body
        assert user not in each.delivery.path
    assert json.loads(second.delivery.body)["event"] == "e"
    assert exported([first, second])
