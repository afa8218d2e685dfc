"""The two formats for people: full blocks while there is time to read them, and one line each."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tiktok_hook.delivery import (
    AppChanged,
    Attempt,
    AttemptEnded,
    Delivery,
    DeliveryAnswered,
    NonWebhookRequest,
    Notice,
    Ready,
    Skipped,
    Source,
    Summary,
    TunnelChanged,
)
from tiktok_hook.signature import State
from tiktok_hook.terminal import banner, blocks, lines, words
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.paint import Paint
from tiktok_hook.terminal.view import Piece, err, out

BLOCKS_PER_SECOND = 4.0
"""Full blocks; what comes faster gets one line each."""

BLOCKS_AT_ONCE = 6.0
"""Full blocks after a pause: a burst that a person may want to read."""

_TARGETS = 16


class Text:
    """The view behind ``--format full`` and ``compact``.

    Args:
        full: Blocks rather than lines.
        out_paint: Colours on stdout.
        err_paint: Colours on stderr.
        out_width: Columns of stdout at this moment; None for no limit.
        err_width: Columns of stderr, likewise.
        keys: Whether single keys work.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        full: bool,
        out_paint: Paint,
        err_paint: Paint,
        out_width: Callable[[], int | None],
        err_width: Callable[[], int | None],
        keys: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._full = full
        self._out_paint = out_paint
        self._err_paint = err_paint
        self._out_width = out_width
        self._err_width = err_width
        self._keys = keys
        self._clock = clock
        self._blocks_left = BLOCKS_AT_ONCE
        self._blocks_at = clock()
        self._kept: DeliveryAnswered | None = None
        self._is_ready = False
        self._history_stays = True
        self._answered_by_app = False
        self._tunnel = "connecting"
        self._apps: dict[str | None, str] = {}
        self._ping_passed = False
        self._last_hint = ""
        self._last_hint_beside = ""
        self._midnight = 0.0
        self._writers: dict[type, Callable[[Any], Iterator[Piece]]] = {
            LeftOut: self._left_out,
            Skipped: self._skipped,
            NonWebhookRequest: self._non_webhook_request,
            TunnelChanged: self._tunnel_changed,
            AppChanged: self._app_changed,
            Notice: self._notice,
            Ready: self._ready,
            Summary: self._summary,
            Piece: lambda piece: iter((piece,)),
            str: lambda text: iter((err(text if text.endswith("\n") else text + "\n"),)),
        }

    @property
    def holds(self) -> bool:
        """Whether a delivery waits for the app's answer, which follows on its heels."""
        return self._kept is not None

    def draw(self, items: Sequence[object], dropped: int) -> Iterator[Piece]:
        """Make the text of a batch; see `tiktok_hook.terminal.view.View`."""
        width = self._out_width()
        batch = list(items) if self._kept is None else [self._kept, *items]
        self._kept = None
        last = items[-1] if items else None
        if isinstance(last, DeliveryAnswered) and self._expects_attempt(last.delivery):
            self._kept = last
            batch.pop()
        at = 0
        while at < len(batch):
            item = batch[at]
            at += 1
            if isinstance(item, DeliveryAnswered):
                following = _following(item.delivery, batch[at : at + _TARGETS])
                at += len(following)
                yield from self._delivery(item.delivery, following, width)
            elif isinstance(item, AttemptEnded):
                yield self._attempt(item.attempt, width)
            else:
                writer = self._writers.get(type(item))
                if writer is not None:
                    yield from writer(item)
        if dropped:
            paint = self._out_paint
            more = f"… {words.count(dropped)} more, see tiktok-hook events"
            yield out(f"{paint.dim}{more}{paint.off}\n")

    def rest(self) -> Iterator[Piece]:
        """A delivery whose attempt has not come."""
        return self.draw((), 0)

    def _expects_attempt(self, delivery: Delivery) -> bool:
        answered = delivery.status is not None and not delivery.verdict.refused
        return self._answered_by_app and answered

    def _delivery(
        self,
        delivery: Delivery,
        following: Sequence[AttemptEnded | Skipped],
        width: int | None,
    ) -> Iterator[Piece]:
        if delivery.source is not Source.IMPORT:
            yield from self._new_day(delivery.received_at)
        attempts = [event.attempt for event in following if isinstance(event, AttemptEnded)]
        skipped = next((event for event in following if isinstance(event, Skipped)), None)
        if self._full and self._room_for_block():
            yield out(
                blocks.delivery_block(
                    delivery,
                    self._out_paint,
                    attempts=attempts,
                    skipped=skipped,
                    width=width or 80,
                    first_at=delivery.first_received_at,
                )
            )
        else:
            line = lines.delivery_line(
                delivery,
                self._out_paint,
                attempt=attempts[0] if attempts else None,
                skipped=skipped is not None,
                width=width,
                first_at=delivery.first_received_at,
            )
            yield out(line + "\n")
            hint = delivery.verdict.hint if delivery.verdict.refused else ""
            hint = skipped.reason if skipped is not None else hint
            yield from self._news(attempts[0].hint if attempts else hint, width)
            for attempt in attempts[1:]:
                yield self._attempt(attempt, width)
        if delivery.event is not None and delivery.event.name == "tiktok.ping":
            yield from self._ping(delivery)

    def _attempt(self, attempt: Attempt, width: int | None) -> Piece:
        """One by itself; in the compact format its hint only if it is another one than last."""
        if self._full or attempt.hint != self._last_hint_beside:
            text = blocks.attempt_block(attempt, self._out_paint, width or 80)
        else:
            text = lines.attempt_line(attempt, self._out_paint)
        self._last_hint_beside = attempt.hint
        return out(text + "\n")

    def _new_day(self, now: float) -> Iterator[Piece]:
        """Before the first delivery of another day its date: the lines have the time alone."""
        if now < self._midnight:
            return
        if self._midnight:
            paint = self._err_paint
            yield err(f"{paint.dim}── {words.date(now)} ──{paint.off}\n")
        self._midnight = words.midnight(now)

    def _room_for_block(self) -> bool:
        now = self._clock()
        gained = (now - self._blocks_at) * BLOCKS_PER_SECOND
        self._blocks_left = min(BLOCKS_AT_ONCE, self._blocks_left + gained)
        self._blocks_at = now
        if self._blocks_left < 1.0:
            return False
        self._blocks_left -= 1.0
        return True

    def _news(self, hint: str, width: int | None) -> Iterator[Piece]:
        """Under a line, the hint only if it is another one than last time."""
        if hint and hint != self._last_hint:
            text = blocks.hint(hint, self._out_paint, width or 80, indent="    ")
            yield out(text.removeprefix("\n") + "\n")
        self._last_hint = hint

    def _left_out(self, event: LeftOut) -> Iterator[Piece]:
        yield err(lines.left_out_line(event, self._err_paint) + "\n")

    def _skipped(self, event: Skipped) -> Iterator[Piece]:
        yield out(blocks.skipped_block(event, self._out_paint, self._out_width() or 80) + "\n")

    def _non_webhook_request(self, event: NonWebhookRequest) -> Iterator[Piece]:
        yield err(lines.probe_line(event, self._err_paint) + "\n")

    def _app_changed(self, event: AppChanged) -> Iterator[Piece]:
        if self._apps.get(event.target) != event.state:
            self._apps[event.target] = event.state
            yield err(lines.app_line(event, self._err_paint) + "\n")

    def _notice(self, event: Notice) -> Iterator[Piece]:
        yield err(lines.notice_line(event, self._err_paint) + "\n")

    def _ready(self, event: Ready) -> Iterator[Piece]:
        self._is_ready = True
        self._answered_by_app = event.target is not None and event.ack == "app"
        self._history_stays = event.history is not None
        if event.target is not None and event.target_up is not None:
            # The banner states it, so that only a change is worth a line.
            self._apps[event.target] = "up" if event.target_up else "down"
        self._apps |= {url: "up" if up else "down" for url, up in event.others}
        width = self._err_width() or 80
        yield err(banner.banner(event, self._err_paint, width=width, keys=self._keys))

    def _summary(self, event: Summary) -> Iterator[Piece]:
        yield err(banner.summary(event, self._err_paint, kept=self._history_stays))

    def _tunnel_changed(self, event: TunnelChanged) -> Iterator[Piece]:
        before, self._tunnel = self._tunnel, event.state
        # Each heartbeat repeats the state, and the banner stands for everything before it.
        if self._is_ready and event.state != before:
            line = lines.tunnel_line(event, self._err_paint)
            if line:
                yield err(line + "\n")

    def _ping(self, delivery: Delivery) -> Iterator[Piece]:
        """What the portal's Test URL button means, once."""
        paint, verdict = self._err_paint, delivery.verdict
        if self._ping_passed or delivery.source is not Source.TIKTOK or delivery.status != 200:
            return
        if verdict.refused:  # anybody can send it
            return
        self._ping_passed = True
        text = f"{paint.bold}{paint.green}Test URL passed: now press Save changes.{paint.off}"
        if verdict.state is State.UNCHECKED:
            text += " Its signature was not checked."
        else:
            text += " Its signature verified."
        yield err(text + "\n")


def _following(delivery: Delivery, items: Sequence[object]) -> list[AttemptEnded | Skipped]:
    """What belongs to a delivery right behind it: its attempts, or why there are none."""
    found: list[AttemptEnded | Skipped] = []
    for item in items:
        if isinstance(item, AttemptEnded):
            own = item.attempt.delivery_id == delivery.id and not item.attempt.replay
        else:
            own = isinstance(item, Skipped) and item.delivery.id == delivery.id
        if not own:
            break
        assert isinstance(item, AttemptEnded | Skipped)
        found.append(item)
    return found
