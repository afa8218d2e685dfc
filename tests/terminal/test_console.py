"""The console without a terminal: pipes, files, streams."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.deadline import DEADLINE
from tests.terminal.samples import AT, TARGET, attempt, delivery, events_of, refused_by_app
from tiktok_hook.delivery import (
    AppChanged,
    NonWebhookRequest,
    Notice,
    Ready,
    Source,
    Summary,
    TunnelChanged,
)
from tiktok_hook.signature import State, Verdict
from tiktok_hook.terminal import console, words

READY = Ready(callback_url="https://x.ngrok.app/hook", local_url="http://127.0.0.1:3000")
FORWARDED = replace(READY, target=TARGET, ack="app")


class Pipe:
    """A pipe whose reader the test is."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in (self.write_end, self.read_end):
            with suppress(OSError):
                os.close(end)

    def end(self) -> None:
        """No more will be written."""
        os.close(self.write_end)

    def leave(self) -> None:
        """Close the reading end."""
        os.close(self.read_end)

    def rest(self) -> str:
        """Everything up to the end, which the writer has to make."""
        pieces = []
        while piece := os.read(self.read_end, 65536):
            pieces.append(piece)
        return b"".join(pieces).decode()


def show(screen: console.Console, item: object) -> None:
    for event in events_of(item):
        screen.show(event)


def printed(form: console.Format | None, *items: object) -> tuple[str, str]:
    """What a session prints without a terminal: stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with console.make(form, out=out, err=err) as screen:
        for item in items:
            show(screen, item)
    return out.getvalue(), err.getvalue()


def test_without_a_terminal_each_delivery_is_one_line_without_colour() -> None:
    out, err = printed(None, delivery(12), delivery(13))
    assert [line.split()[1] for line in out.splitlines()] == ["#12", "#13"]
    assert "\x1b" not in out
    assert err == ""


def test_deliveries_go_to_stdout_and_words_for_people_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    with console.make("compact", out=out, err=err) as screen:
        screen.show(READY)
        show(screen, delivery())
        screen.show(Notice("Mind this."))
        screen.show(NonWebhookRequest("GET", "/", 200, AT))
        screen.write("app | hello")
        screen.show(Summary(received=1))
    assert out.getvalue().count("\n") == 1
    for text in (READY.callback_url, "Mind this.", "GET / 200", "app | hello", "1 delivery in"):
        assert text in err.getvalue()


def test_the_app_s_answer_is_shown_with_its_delivery() -> None:
    first, second, third = printed(
        "compact", FORWARDED, delivery(12), attempt(12), delivery(13), delivery(14), attempt(13)
    )[0].splitlines()
    assert first.endswith("→ 200 in 3 ms")
    assert "#13" in second
    assert second.endswith("→ 200 in 3 ms")
    assert "#14" in third


def test_a_replay_does_not_wait_for_its_delivery() -> None:
    out, _ = printed("full", attempt(7, replay=True, resigned=True))
    assert out == f"  → #7.1 replay re-signed {TARGET} 200 in 3 ms\n"


def test_a_hint_is_printed_once_while_it_stays_the_same_in_compact_form() -> None:
    items: list[object] = []
    for number in (1, 2, 3):
        items += [delivery(number, status=502), refused_by_app(number)]
    out, _ = printed("compact", FORWARDED, *items)
    assert out.count("is your app up?") == 1


def test_the_hint_of_a_secondary_target_is_printed_once_in_compact_form_too() -> None:
    items: list[object] = []
    for number in (1, 2, 3):
        items += [delivery(number), attempt(number), refused_by_app(number)]
    assert printed("compact", FORWARDED, *items)[0].count("is your app up?") == 1
    assert printed("full", FORWARDED, *items)[0].count("is your app up?") == 3


def test_another_days_deliveries_stand_below_its_date() -> None:
    day = 24 * 3600
    times = (AT, AT + 1, AT + day, AT + day + 1, AT + 2 * day)
    items = [delivery(number, received_at=at) for number, at in enumerate(times)]
    imported = delivery(9, received_at=AT + 9 * day, source=Source.IMPORT)
    _, err = printed("compact", imported, *items)
    dates = [words.date(AT + day), words.date(AT + 2 * day)]
    assert err.splitlines() == [f"── {date} ──" for date in dates]


def test_the_diagnosis_of_a_forged_delivery_is_printed_once_in_compact_form_too() -> None:
    found = Verdict(State.INVALID, "signature does not match", "Is it the sandbox's secret?")
    forged = [delivery(number, verdict=found, status=403) for number in (1, 2)]
    out, _ = printed("compact", *forged)
    assert out.count("\n    hint: Is it the sandbox's secret?\n") == 1


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict(State.VALID), "verified"),
        (Verdict(State.UNCHECKED), "not checked"),
    ],
    ids=["valid", "unchecked"],
)
def test_the_portal_s_test_shows_once_what_to_press_next(verdict: Verdict, expected: str) -> None:
    pings = [delivery(number, "tiktok.ping", verdict=verdict) for number in (1, 2)]
    _, err = printed("compact", *pings)
    assert err == f"Test URL: Passed, signature {expected}. Now press Save changes.\n"


def test_a_ping_that_does_not_verify_completes_nothing() -> None:
    forged = delivery(1, "tiktok.ping", verdict=Verdict(State.MISSING, "no header"))
    genuine = delivery(2, "tiktok.ping")
    assert "does not verify" in printed("compact", forged)[1]
    assert "Passed" not in printed("compact", forged)[1]
    assert "Passed, signature verified" in printed("compact", forged, genuine)[1]


@pytest.mark.parametrize(
    "changes", [{"status": 502}, {"source": Source.TRIGGER}], ids=["not 200", "our own trigger"]
)
def test_a_ping_that_proves_nothing_is_not_called_passed(changes: dict[str, object]) -> None:
    assert printed("compact", delivery(1, "tiktok.ping", **changes))[1] == ""


def test_states_are_printed_only_when_they_change() -> None:
    online = [TunnelChanged("online", "https://x", AT, latency_ms=n) for n in range(3)]
    lost = TunnelChanged("reconnecting", "https://x", AT, "hung up")
    back = TunnelChanged("online", "https://x", AT, outage_seconds=134)
    up, down = AppChanged("up", TARGET), AppChanged("down", TARGET)
    _, err = printed("compact", *online, lost, lost, back, back, up, up, down, down)
    assert err.count("tunnel lost: hung up") == 1
    assert err.count("tunnel online again after 2 min 14 s") == 1
    assert err.count("is up") == 1
    assert err.count("is down") == 1
    assert err.count("tunnel") == 2


def test_a_redelivery_shows_how_much_later_it_came() -> None:
    third = delivery(12, redelivery_of=9, redelivery_number=3, first_received_at=AT - 840)
    assert "delivery 3 of this event, +14 min after #9" in printed("compact", third)[0]


def test_a_pipe_gets_every_line_of_a_burst() -> None:
    texts: list[str] = []
    with Pipe() as out:
        reader = threading.Thread(target=lambda: texts.append(out.rest()))
        reader.start()
        with console.make("json", out=out.write_end, err=io.StringIO()) as screen:
            for number in range(5000):
                show(screen, delivery(number))
            assert screen.flush(DEADLINE)
        out.end()
        reader.join(DEADLINE)
    lines = [json.loads(line) for line in texts[0].splitlines()]
    assert [line["id"] for line in lines if line["type"] == "delivery"] == list(range(5000))
    assert sum(line["type"] == "answer" for line in lines) == 5000
    assert screen.dropped == 0


def test_a_pipe_that_closes_is_reported_once() -> None:
    calls: list[int] = []
    err = io.StringIO()
    with (
        Pipe() as out,
        console.make(
            "json", out=out.write_end, err=err, on_closed=lambda: calls.append(1)
        ) as screen,
    ):
        out.leave()
        for number in range(5):
            show(screen, delivery(number))
            assert screen.flush(DEADLINE)
        assert calls == [1]
        screen.show(Notice("Still here."))
    assert err.getvalue() == "Warning: Still here.\n"


@pytest.mark.realtime
def test_a_pipe_without_a_reader_does_not_delay_deliveries() -> None:
    big = delivery(body=b"x" * 100_000)
    with Pipe() as out:
        screen = console.make("json", out=out.write_end, err=io.StringIO())
        started = time.monotonic()
        for _ in range(2000):  # 200 MB, if it were all kept
            show(screen, big)
        assert time.monotonic() - started < 2.0
        assert screen.dropped > 1500
        started = time.monotonic()
        screen.close(0.2)
        assert time.monotonic() - started < 1.0
        out.leave()
        screen.close(DEADLINE)


def test_a_pipe_that_is_non_blocking_loses_nothing() -> None:
    texts: list[str] = []
    with Pipe() as out:
        os.set_blocking(out.write_end, False)
        with console.make("compact", out=out.write_end, err=io.StringIO()) as screen:
            for number in range(3000):  # several times what the pipe holds
                show(screen, delivery(number))
            reader = threading.Thread(target=lambda: texts.append(out.rest()))
            reader.start()
            assert screen.flush(DEADLINE)
        out.end()
        reader.join(DEADLINE)
    assert texts[0].count("\n") == 3000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_is_full_is_reported_once_and_tried_again() -> None:
    err = io.StringIO()
    with (
        Path("/dev/full").open("w") as full,
        console.make("compact", out=full, err=err) as screen,
    ):
        for number in range(3):
            show(screen, delivery(number))
            screen.flush(DEADLINE)
    assert err.getvalue() == "Warning: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize(("color", "kept"), [(True, "\x1b[31m"), (False, "")], ids=str)
def test_the_app_s_colours_are_kept_where_we_use_colours_too(
    color: bool,  # noqa: FBT001 - a case
    kept: str,
) -> None:
    err = io.StringIO()
    with console.make("json", out=io.StringIO(), err=err, color=color) as screen:
        screen.write("app │ \x1b[31mred")
    assert err.getvalue() == f"app │ {kept}red\n"


def test_an_encoding_that_lacks_our_signs_gets_plain_ones() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    with console.make("compact", out=out, err=io.StringIO()) as screen:
        screen.show(FORWARDED)
        show(screen, delivery(1))
        show(screen, attempt(1))
    assert raw.getvalue().endswith(b"-> 200 in 3 ms\n")
    with console.make("full", out=out, err=out) as screen:
        show(screen, delivery(2, redelivery_of=1, redelivery_number=2))
        screen.write("app │ started")
    assert b"  ~ delivery 2 of this event" in raw.getvalue()
    assert raw.getvalue().endswith(b"app | started\n")


def test_rich_is_not_imported_before_there_is_something_to_draw() -> None:
    code = (
        "import sys; from tests.terminal.samples import answered; "
        "from tiktok_hook.terminal import console; "
        "c = console.make('compact', color=True); "
        "c.show(answered()); c.close(); "
        "sys.exit(any(name.split('.')[0] == 'rich' for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, capture_output=True)


def test_output_of_an_app_that_prints_without_end_is_counted_apart_from_deliveries() -> None:
    with Pipe() as err:
        screen = console.make("compact", out=io.StringIO(), err=err.write_end)
        for _ in range(200):
            screen.write("x" * 100_000)
        assert screen.dropped == 0
        reader = threading.Thread(target=lambda: texts.append(err.rest()))
        texts: list[str] = []
        reader.start()
        assert screen.flush(DEADLINE)
        screen.write("the end")
        screen.close(DEADLINE)
        err.end()
        reader.join(DEADLINE)
    lines = texts[0].splitlines()
    counted = sum(int(line.split()[1]) for line in lines if line.startswith("…"))
    assert lines[-1] == "the end"
    assert counted > 0
    assert sum(line.startswith("x") for line in lines) == 200 - counted


def test_unknown_keys_are_answered_with_one_line_a_second_that_names_the_keys() -> None:
    now, err = [1000.0], io.StringIO()
    with console.make("normal", out=io.StringIO(), err=err, clock=lambda: now[0]) as screen:
        for key in ("x", "ü", "y"):
            screen.unknown_key(key)
        now[0] += 1.0
        screen.unknown_key(" ")
    first, second = err.getvalue().splitlines()
    assert first == "x is not a key. Keys: v d r f p o c q; ? explains them."
    assert second.startswith("Space is not a key.")


def test_the_line_about_an_unknown_key_names_the_keys_of_the_list() -> None:
    err = io.StringIO()
    with console.make("normal", out=io.StringIO(), err=err) as screen:
        screen.help()
        screen.unknown_key("x")
    *listed, line = err.getvalue().splitlines()
    for each in listed:
        assert each.split()[0] in line.split("Keys: ")[1]
