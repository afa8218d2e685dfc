"""Random records, on every view."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tests.archive.strategies import attempts, deliveries
from tests.terminal.samples import event
from tiktok_hook.delivery import (
    AppChanged,
    NonWebhookRequest,
    Notice,
    Ready,
    SelfCheck,
    TunnelChanged,
)
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal.jsonl import JsonLines
from tiktok_hook.terminal.text import Form, Text
from tiktok_hook.terminal.theme import COLOURED, PLAIN, Paint, bare

texts = st.text(max_size=12) | st.sampled_from(
    ["\x1b[2J", "\x1b]0;a\x07", "\u202ea", "\x9b1m", "\r"]
)
moments = st.floats(0, 4e9)
ages = st.floats(allow_nan=False, allow_infinity=False)
records = st.one_of(
    deliveries,
    st.builds(
        lambda delivery, verdict, path, host: delivery.replace(
            verdict=verdict, path=path, headers=((path, host),), remote_addr=host
        ),
        deliveries,
        st.builds(Verdict, st.sampled_from(State), texts, texts, ages),
        texts,
        texts,
    ),
    attempts,
    st.builds(lambda one, url: one.replace(target=url, error=url, hint=url), attempts, texts),
    st.builds(NonWebhookRequest, texts, texts, st.integers(100, 599), moments, texts),
    st.builds(
        TunnelChanged,
        st.sampled_from(["connecting", "online", "reconnecting", "closed"]),
        st.none() | texts,
        moments,
        st.none() | texts,
        outage_seconds=st.none() | moments,
    ),
    st.builds(
        AppChanged,
        st.sampled_from(["up", "down", "started", "exited", "paused"]),
        st.none() | texts,
        st.none() | st.integers(-64, 255),
        texts,
    ),
    st.builds(Notice, texts, texts, st.sampled_from(["info", "warning", "error"])),
    st.builds(
        Ready,
        callback_url=texts,
        local_url=texts,
        inspector_url=st.none() | texts,
        self_check=st.builds(SelfCheck, result=st.sampled_from(["ok", "failed"]), hint=texts),
        target=st.none() | texts,
        target_up=st.booleans(),
        ack=st.sampled_from(["app", "first", "hold", "500"]),
        routes=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
        history=st.none() | texts,
        public=st.booleans(),
    ),
)


@pytest.mark.parametrize("paint", [PLAIN, COLOURED], ids=["plain", "coloured"])
@pytest.mark.parametrize("form", ["compact", "normal", "full"])
@fuzzing.one_in(4)
@given(items=st.lists(records, max_size=4), width=st.none() | st.integers(1, 200))
def test_whatever_is_shown_nothing_but_our_colours_moves_the_terminal(
    items: list[object], width: int | None, *, paint: Paint, form: Form
) -> None:
    view = Text(
        form=form,
        out_paint=paint,
        err_paint=paint,
        out_width=lambda: width,
        err_width=lambda: width,
        clock=lambda: 1000.0,
    )
    shown = [piece.text for piece in (*view.draw([event(item) for item in items], 0), *view.rest())]
    assert all(text.endswith("\n") for text in shown)
    seen = bare("".join(shown))
    assert visible(seen, keep_newlines=True) == seen
    seen.encode()


@fuzzing.one_in(4)
@given(st.lists(records, max_size=4))
def test_whatever_is_printed_for_programs_is_json_on_a_line(items: list[object]) -> None:
    for channel, text in JsonLines().draw([event(item) for item in items], 0):
        if channel == "out":
            assert text.count("\n") == 1
            assert json.loads(text)["type"] in {
                "delivery", "answer", "attempt", "tunnel", "app", "ready"
            }  # fmt: skip
            text.encode()
        else:
            assert visible(text, keep_newlines=True) == text
