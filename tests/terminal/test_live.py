"""The status line."""

from dataclasses import replace

import pytest

from tiktok_hook.delivery import AppChanged, QueueChanged, Ready
from tiktok_hook.delivery.session_events import AttachedTo
from tiktok_hook.terminal.live import SessionCounts, StatusLine
from tiktok_hook.terminal.theme import PLAIN

LISTENER = Ready(callback_url="http://127.0.0.1:3000", local_url="http://127.0.0.1:3000")


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (None, "starting"),
        (LISTENER, "listening · 1 received"),
        (replace(LISTENER, attached=AttachedTo("anna", "", 0)), "attached · 1 received"),
    ],
)
def test_it_begins_with_what_the_session_does(event: Ready | None, shown: str) -> None:
    line = StatusLine(PLAIN)
    line.note(event)
    assert line.text(80, SessionCounts(received=1)) == shown


def test_another_target_is_shown_while_it_is_not_up() -> None:
    line = StatusLine(PLAIN)
    line.note(replace(LISTENER, target="http://localhost:3111", target_up=True))
    line.note(AppChanged("paused", target="http://localhost:3112"))
    line.note(QueueChanged(paused=False, waiting=4))
    shown = "listening · 1 received · → localhost:3111 up · → localhost:3112 queueing · 4 queued"
    assert line.text(100, SessionCounts(received=1)) == shown
    line.note(AppChanged("up", target="http://localhost:3112"))
    line.note(QueueChanged(paused=False, waiting=0))
    assert line.text(100, SessionCounts(received=1)).endswith(" · → localhost:3111 up")


def test_a_target_that_is_not_up_at_the_start_is_shown() -> None:
    line = StatusLine(PLAIN)
    others = (("http://localhost:3112", False), ("http://localhost:3113", True))
    line.note(replace(LISTENER, target="http://localhost:3111", target_up=True, others=others))
    shown = "listening · 1 received · → localhost:3111 up · → localhost:3112 down"
    assert line.text(100, SessionCounts(received=1)) == shown
