"""The two formats for people: full blocks while there is time to read them, and one line each."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from tiktok_hook.delivery import (
    AppState,
    Attempt,
    Delivery,
    Notice,
    Probe,
    Ready,
    Source,
    Summary,
    TunnelState,
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

_REMEMBERED = 4096
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

    Attributes:
        first_seen: Finds when an older delivery came, by its id, in Unix seconds; None if unknown.
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
        self.first_seen: Callable[[int], float | None] = lambda _: None
        self._clock = clock
        self._blocks_left = BLOCKS_AT_ONCE
        self._blocks_at = clock()
        self._shown: OrderedDict[int, float] = OrderedDict()
        self._kept: Delivery | None = None
        self._history_stays = True
        self._answered_by_app = False
        self._tunnel = "connecting"
        self._apps: dict[str | None, str] = {}
        self._ping_passed = False
        self._last_hint = ""
        self._last_hint_beside = ""
        self._midnight = 0.0

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
        if isinstance(last, Delivery) and self._expects_attempt(last):
            self._kept = last
            batch.pop()
        at = 0
        while at < len(batch):
            item = batch[at]
            at += 1
            if isinstance(item, Delivery):
                attempts = _following(item, batch[at : at + _TARGETS])
                at += len(attempts)
                yield from self._delivery(item, attempts, width)
            elif isinstance(item, Attempt):
                yield self._attempt(item, width)
            else:
                yield from self._other(item)
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
        self, delivery: Delivery, attempts: Sequence[Attempt], width: int | None
    ) -> Iterator[Piece]:
        if delivery.source is not Source.IMPORT:
            yield from self._new_day(delivery.received_at)
        self._shown[delivery.id] = delivery.received_at
        if len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        first_at = self._first(delivery)
        if self._full and self._room_for_block():
            yield out(
                blocks.delivery_block(
                    delivery,
                    self._out_paint,
                    attempts=attempts,
                    width=width or 80,
                    first_at=first_at,
                )
            )
        else:
            line = lines.delivery_line(
                delivery,
                self._out_paint,
                attempt=attempts[0] if attempts else None,
                width=width,
                first_at=first_at,
            )
            yield out(line + "\n")
            refused = delivery.verdict.hint if delivery.verdict.refused else ""
            yield from self._news(attempts[0].hint if attempts else refused, width)
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

    def _first(self, delivery: Delivery) -> float | None:
        first = delivery.redelivery_of
        if first is None:
            return None
        known = self._shown.get(first)
        return self.first_seen(first) if known is None else known

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

    def _other(self, item: object) -> Iterator[Piece]:
        paint = self._err_paint
        if isinstance(item, LeftOut):
            yield err(lines.left_out_line(item, paint) + "\n")
        elif isinstance(item, Probe):
            yield err(lines.probe_line(item, paint) + "\n")
        elif isinstance(item, TunnelState):
            yield from self._tunnel_state(item)
        elif isinstance(item, AppState):
            if self._apps.get(item.target) != item.state:
                self._apps[item.target] = item.state
                yield err(lines.app_line(item, paint) + "\n")
        elif isinstance(item, Notice):
            yield err(lines.notice_line(item, paint) + "\n")
        elif isinstance(item, Ready):
            self._answered_by_app = item.target is not None and item.ack == "app"
            self._history_stays = item.history is not None
            if item.target is not None and item.target_up is not None:
                # The banner has said it, so only a change is news.
                self._apps[item.target] = "up" if item.target_up else "down"
            self._apps |= {url: "up" if up else "down" for url, up in item.others}
            yield err(banner.banner(item, paint, width=self._err_width() or 80, keys=self._keys))
        elif isinstance(item, Summary):
            yield err(banner.summary(item, paint, kept=self._history_stays))
        elif isinstance(item, Piece):
            yield item
        elif isinstance(item, str):
            yield err(item if item.endswith("\n") else item + "\n")

    def _tunnel_state(self, state: TunnelState) -> Iterator[Piece]:
        before, self._tunnel = self._tunnel, state.state
        # The same state comes again with every heartbeat, and the banner tells of the first.
        if state.state != before and (before, state.state) != ("connecting", "online"):
            line = lines.tunnel_line(state, self._err_paint)
            if line:
                yield err(line + "\n")

    def _ping(self, delivery: Delivery) -> Iterator[Piece]:
        """What the portal's Test URL button means, once."""
        if self._ping_passed or delivery.source is not Source.TIKTOK or delivery.status != 200:
            return
        self._ping_passed = True
        paint, verdict = self._err_paint, delivery.verdict
        text = f"{paint.bold}{paint.green}Test URL passed: now press Save changes.{paint.off}"
        if verdict.refused:
            text += f" {paint.amber}Its signature did not verify, though.{paint.off}"
        elif verdict.state is State.UNCHECKED:
            text += " Its signature was not checked."
        else:
            text += " Its signature verified."
        yield err(text + "\n")


def _following(delivery: Delivery, items: Sequence[object]) -> list[Attempt]:
    """Its attempts that come right behind it."""
    found = []
    for item in items:
        if not isinstance(item, Attempt) or item.delivery_id != delivery.id or item.replay:
            break
        found.append(item)
    return found
