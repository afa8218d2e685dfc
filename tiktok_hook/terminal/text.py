"""The three formats for people: blocks while there is time to read them, and one line each."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tiktok_hook.delivery import (
    AppChanged,
    AttemptEnded,
    AttemptStarted,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
    NonWebhookRequest,
    Notice,
    QueueChanged,
    Ready,
    Skipped,
    Source,
    Summary,
    TunnelChanged,
)
from tiktok_hook.sanitize import visible
from tiktok_hook.signature import State
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.cells import columns
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.theme import Paint, Parts, bare
from tiktok_hook.terminal.view import Details, Piece, Raw, err, out

if TYPE_CHECKING:
    from rich.text import Text as RichText

    from tiktok_hook.terminal.blocks import Detail

Form: TypeAlias = Literal["compact", "normal", "full"]

BLOCKS_PER_SECOND = 4.0
"""Blocks in the long run; what comes faster gets one line each."""

BLOCKS_AT_ONCE = 6.0
"""Blocks after a pause: a burst that a person may want to read."""

HOLD_SECONDS = 0.015
"""How long a delivery is held back for its answer, so that a fast app's is shown with it."""

NORMAL_BODY_LINES = 20
"""Lines of a body in the normal format; half the screen if that is less."""

_NORMAL_BODY_CHARS = 4_000
_OPEN = 1024


@dataclass(slots=True)
class _Open:
    """A delivery that is not finished on the screen.

    Attributes:
        delivery: As it is known now; its status is None until TikTok is answered.
        held_until: Monotonic seconds at which it is shown, whatever is missing.
        shown: Whether it is on the screen, as waiting for the app.
        attempts: The attempts that belong to its block or to its answer's line.
        shown_attempts: How many of them are on the screen: an answer rule may delay the answer
            until all have ended.
        skipped: Why it goes to no app; None if it does.
        target: Where it was sent first; None if that is not known.
    """

    delivery: Delivery
    held_until: float
    shown: bool = False
    target: str | None = None
    attempts: list[AttemptEnded] = field(default_factory=list)
    shown_attempts: int = 0
    skipped: Skipped | None = None


def _succeeded(event: AttemptEnded) -> bool:
    return lines.attempt_style(event.attempt) == "good"


class Text:
    """The view behind ``--format compact``, ``normal`` and ``full``.

    Args:
        form: How a delivery is shown; `form` may be set at any time, by any thread.
        out_paint: Colours on stdout.
        err_paint: Colours on stderr.
        out_width: Returns the columns of stdout at this moment; None for no limit.
        err_width: Returns the columns of stderr, likewise.
        height: Returns the rows of the terminal; None if there is none.
        keys: Whether single keys work.
        links: Whether the terminal shows hyperlinks; ids lead to the inspector then.
        quiet: Show only deliveries that failed or were rejected, and of the banner the URL.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        form: Form,
        out_paint: Paint,
        err_paint: Paint,
        out_width: Callable[[], int | None],
        err_width: Callable[[], int | None],
        height: Callable[[], int | None] = lambda: None,
        keys: bool = False,
        links: bool = False,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.form: Form = form
        self._links = links
        self._page = ""
        self._quiet = quiet
        self._out_paint = out_paint
        self._err_paint = err_paint
        self._out_width = out_width
        self._err_width = err_width
        self._height = height
        self._keys = keys
        self._clock = clock
        self._blocks_left = BLOCKS_AT_ONCE
        self._blocks_at = clock()
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._target: str | None = None
        self._has_routes = False
        self._history_stays = True
        self._answered_by_app = False
        self._holds_all = False  # --ack hold
        self._queue_paused = False
        self._tunnel = "connecting"
        self._apps: dict[str | None, str] = {}
        self._ping_passed = False
        self._unverified_ping_shown = False
        self._last_hint = ""
        self._last_attempt_hint = ""
        self._midnight = 0.0
        self._show: dict[type, Callable[[Any], Iterator[Piece]]] = {
            DeliveryStored: self._stored,
            DeliveryAnswered: self._answered,
            AttemptEnded: self._attempt_ended,
            Skipped: self._skipped,
            QueueChanged: self._queue_changed,
            LeftOut: self._left_out,
            NonWebhookRequest: self._request,
            TunnelChanged: self._tunnel_changed,
            AppChanged: self._app_changed,
            AttemptStarted: self._attempt_started,
            Notice: self._notice,
            Ready: self._ready,
            Summary: self._summary,
            Details: self._details,
            Raw: lambda code: iter((err(code),)),
            str: lambda text: iter((err(text if text.endswith("\n") else text + "\n"),)),
        }

    @property
    def holds(self) -> float | None:
        """Seconds until something that is held back has to be shown; None if nothing is."""
        deadlines = [each.held_until for each in self._open.values() if self._incomplete(each)]
        return max(min(deadlines) - self._clock(), 0.0) if deadlines else None

    def draw(self, items: Sequence[object], dropped: int) -> Iterator[Piece]:
        """Make the text of a batch; see `tiktok_hook.terminal.view.View`."""
        for item in items:
            show = self._show.get(type(item))
            if show is not None:
                yield from show(item)
        yield from self._overdue(self._clock())
        if dropped:
            yield out(f"… {words.count(dropped)} not shown here (too fast): tiktok-hook events\n")

    def rest(self) -> Iterator[Piece]:
        """Show what is held back, now."""
        yield from self._overdue(float("inf"))

    # Deliveries and their attempts.

    def _stored(self, event: DeliveryStored) -> Iterator[Piece]:
        delivery = event.delivery
        self._open[delivery.id] = _Open(delivery, self._clock() + HOLD_SECONDS)
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return iter(())

    def _answered(self, event: DeliveryAnswered) -> Iterator[Piece]:
        delivery = event.delivery
        known = self._open.get(delivery.id)
        if known is None:  # the event that it was stored was dropped
            known = self._open[delivery.id] = _Open(delivery, 0.0)
        known.delivery = delivery
        known.held_until = self._clock() + HOLD_SECONDS
        if self._complete(known):
            yield from self._finish(known)

    def _attempt_started(self, event: AttemptStarted) -> Iterator[Piece]:
        known = self._open.get(event.attempt.delivery_id)
        if known is not None and event.attempt.number == 1:
            known.target = event.attempt.target
        return iter(())

    def _attempt_ended(self, event: AttemptEnded) -> Iterator[Piece]:
        attempt = event.attempt
        known = None if attempt.replay else self._open.get(attempt.delivery_id)
        if known is None:
            if not event.repeated:
                yield from self._late_attempt(event)
            return
        known.attempts.append(event)
        if self._complete(known):
            yield from self._finish(known)

    def _skipped(self, event: Skipped) -> Iterator[Piece]:
        known = self._open.get(event.delivery.id)
        if known is None and self._quiet:
            return
        if known is None:
            yield out(self._fitted(lines.skipped_line(event), self._out_width(), self._out_paint))
            return
        known.skipped = event
        if self._complete(known):
            yield from self._finish(known)

    def _queue_changed(self, event: QueueChanged) -> Iterator[Piece]:
        self._queue_paused = event.paused
        return iter(())

    def _is_queued(self, known: _Open) -> bool:
        """Whether a delivery waits for the user to release it."""
        delivery = known.delivery
        is_held = self._target is not None and (self._holds_all or self._queue_paused)
        is_taken = delivery.status is not None and not delivery.verdict.rejected
        return is_held and is_taken and not known.attempts and known.skipped is None

    def _complete(self, known: _Open) -> bool:
        """Whether everything is here that is shown together."""
        delivery = known.delivery
        if delivery.status is None:
            return False
        expects_attempt = self._answered_by_app and not delivery.verdict.rejected
        return bool(known.attempts or known.skipped) or not expects_attempt

    def _incomplete(self, known: _Open) -> bool:
        """Whether it becomes due by time alone; what is shown as waiting only waits."""
        return known.delivery.status is not None or not (known.shown or self._quiet)

    def _is_left_out(self, known: _Open) -> bool:
        """Whether it went well, and only what did not is shown."""
        delivery = known.delivery
        is_good = delivery.status == 200 and not delivery.verdict.rejected
        return self._quiet and is_good and all(map(_succeeded, known.attempts))

    def _overdue(self, now: float) -> Iterator[Piece]:
        """Show what was held long enough."""
        for known in list(self._open.values()):
            if now < known.held_until or not self._incomplete(known):
                continue
            if known.delivery.status is not None:
                yield from self._finish(known)
            else:
                known.shown = True
                known.shown_attempts = len(known.attempts)
                yield from self._block_or_line(known)

    def _finish(self, known: _Open) -> Iterator[Piece]:
        """Show a delivery with its answer, or only the answer where it is on the screen already."""
        del self._open[known.delivery.id]
        if self._is_left_out(known):
            return
        if not known.shown:
            yield from self._block_or_line(known)
            return
        attempt = known.attempts[0].attempt if known.attempts else None
        line = lines.answer_line(
            known.delivery,
            attempt,
            self._out_paint,
            with_target=self._has_routes,
            link=self._link(known.delivery),
        )
        yield out(self._fitted(line, self._out_width(), self._out_paint))
        if attempt is not None and not known.shown_attempts:
            yield from self._hint(attempt.hint)
        for each in known.attempts[max(known.shown_attempts, 1) :]:
            yield from self._late_attempt(each)

    def _block_or_line(self, known: _Open) -> Iterator[Piece]:
        delivery, skipped = known.delivery, known.skipped
        attempts = [event.attempt for event in known.attempts]
        if delivery.source is not Source.IMPORT:
            yield from self._new_day(delivery.received_at)
        width = self._out_width()
        if self.form != "compact" and not delivery.verdict.rejected and self._room_for_block():
            from tiktok_hook.terminal import blocks

            waits = delivery.status is None
            words_for_queued = "queued, p forwards it" if self._keys else "queued"
            block = blocks.delivery_block(
                delivery,
                attempts=attempts,
                skipped=skipped,
                width=width or 80,
                detail=self._detail(),
                waiting_for=(known.target or self._target) if waits else None,
                queued=words_for_queued if self._is_queued(known) else "",
                link=self._link(delivery),
            )
            yield out(self._drawn(block, self._out_paint))
        else:
            attempt = attempts[0] if attempts else None
            line = lines.delivery_line(
                delivery,
                self._out_paint,
                attempt=attempt,
                skipped=skipped is not None,
                queued=self._is_queued(known),
                width=width,
                link=self._link(delivery),
            )
            yield out(line + "\n")
            hint = delivery.verdict.hint if delivery.verdict.rejected else ""
            hint = skipped.reason if skipped is not None else hint
            yield from self._hint(attempt.hint if attempt is not None else hint)
            for each in known.attempts[1:]:
                yield from self._late_attempt(each)
        if delivery.event is not None and delivery.event.name == "tiktok.ping":
            yield from self._ping(delivery)

    def _link(self, delivery: Delivery) -> str:
        """The address of a delivery in the inspector; empty without links or inspector."""
        page, mark, token = self._page.partition("#")
        return f"{page}?id={delivery.id}{mark}{token}" if page else ""

    def _detail(self) -> "Detail":
        from tiktok_hook.terminal.blocks import Detail
        from tiktok_hook.terminal.body import BodyLimits

        if self.form == "full":
            return Detail()
        rows = self._height()
        most = NORMAL_BODY_LINES if rows is None else min(NORMAL_BODY_LINES, max(rows // 2, 1))
        columns = self._out_width() or 80
        limits = BodyLimits(lines=most, chars=_NORMAL_BODY_CHARS, text=max(columns * 4, 80))
        return Detail(headers=False, body=limits)

    def _late_attempt(self, event: AttemptEnded) -> Iterator[Piece]:
        """An attempt by itself; in the compact format its hint only if it differs from the last."""
        attempt = event.attempt
        is_usual = attempt.number == 1 and not attempt.replay
        if self._quiet and is_usual and _succeeded(event):
            return
        parts, width = lines.attempt_line(attempt, ended=event), self._out_width()
        text = self._out_paint.join(parts) + "\n"
        if width is not None and columns(bare(text)) > width:
            from tiktok_hook.terminal import blocks

            text = self._drawn(blocks.attempt_lines(parts, width), self._out_paint)
        yield out(text)
        if attempt.hint and (self.form != "compact" or attempt.hint != self._last_attempt_hint):
            yield from self._hint_lines(attempt.hint)
        self._last_attempt_hint = attempt.hint

    def _hint(self, hint: str) -> Iterator[Piece]:
        """A hint below a line, only if it differs from the last one."""
        if hint and hint != self._last_hint:
            yield from self._hint_lines(hint)
        self._last_hint = hint

    def _hint_lines(self, hint: str) -> Iterator[Piece]:
        from tiktok_hook.terminal import blocks

        text = blocks.hint_lines(lines.shown(hint, 1000), self._out_width() or 80, indent=4)
        yield out(self._drawn(text, self._out_paint))

    def _details(self, details: Details) -> Iterator[Piece]:
        from tiktok_hook.terminal import blocks
        from tiktok_hook.terminal.body import BodyLimits

        block = blocks.delivery_block(
            details.delivery,
            attempts=details.attempts,
            width=self._out_width() or 80,
            detail=blocks.Detail(body=BodyLimits(lines=200, chars=40_000), times=True),
            link=self._link(details.delivery),
        )
        yield out(self._drawn(block, self._out_paint))

    def _new_day(self, now: float) -> Iterator[Piece]:
        """The date before the first delivery of another day: the lines have the time only."""
        if now < self._midnight:
            return
        if self._midnight:
            yield err(f"── {words.date(now)} ──\n")
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

    def _ping(self, delivery: Delivery) -> Iterator[Piece]:
        """What the portal's Test URL button means, once; an unverified ping completes nothing."""
        if self._ping_passed or delivery.source is not Source.TIKTOK or delivery.status != 200:
            return
        verdict = delivery.verdict
        if verdict.rejected:
            if self._unverified_ping_shown:
                return
            self._unverified_ping_shown = True
            yield from self._labelled(
                "Test URL", "caution",
                "A tiktok.ping arrived whose signature does not verify. If it is yours: the client "
                "secret here is not that of the app in the portal.",
            )  # fmt: skip
            return
        self._ping_passed = True
        verified = "not checked" if verdict.state is State.UNCHECKED else "verified"
        yield from self._labelled(
            "Test URL", "good", f"Passed, signature {verified}. Now press Save changes."
        )

    # Everything else.

    def _request(self, request: NonWebhookRequest) -> Iterator[Piece]:
        if self._quiet:
            return
        width = self._err_width()
        line = lines.request_line(request, width=width)
        yield err(self._fitted(line, width, self._err_paint))

    def _left_out(self, left_out: LeftOut) -> Iterator[Piece]:
        if self._quiet and left_out.subject == "requests":
            return
        line = lines.left_out_line(left_out)
        yield err(self._fitted(line, self._err_width(), self._err_paint))

    def _tunnel_changed(self, state: TunnelChanged) -> Iterator[Piece]:
        before, self._tunnel = self._tunnel, state.state
        # The same state comes again with every heartbeat, and the banner reports the first.
        if state.state != before and (before, state.state) != ("connecting", "online"):
            for line in lines.tunnel_line(state, self._err_paint).splitlines():
                yield err(self._fitted(line, self._err_width(), self._err_paint))

    def _app_changed(self, state: AppChanged) -> Iterator[Piece]:
        if self._apps.get(state.target) != state.state:
            self._apps[state.target] = state.state
            line = lines.app_line(state, self._err_paint)
            yield err(self._fitted(line, self._err_width(), self._err_paint))

    def _notice(self, notice: Notice) -> Iterator[Piece]:
        label, style = lines.notice_style(notice)
        # An error may be a bug of ours, and its traceback is of use only with its lines.
        message = visible(notice.message, keep_newlines=notice.level == "error")
        yield from self._labelled(label, style, message.rstrip("\n"), notice.hint)

    def _ready(self, ready: Ready) -> Iterator[Piece]:
        from tiktok_hook.terminal import banner

        # With routes it depends on the delivery, and `AttemptStarted` names it.
        self._has_routes = bool(ready.routes)
        self._target = "the app" if self._has_routes else ready.target
        self._answered_by_app = ready.target is not None and ready.ack == "app"
        self._holds_all = ready.ack == "hold"
        self._history_stays = ready.history is not None
        self._page = (ready.inspector_url or "") if self._links else ""
        if ready.target is not None and ready.target_up is not None:
            # The banner shows it, so only a change is news.
            self._apps[ready.target] = "up" if ready.target_up else "down"
        self._apps |= {url: "up" if up else "down" for url, up in ready.others}
        width = self._err_width() or 80
        if self._quiet:
            text = banner.title(ready, width)
        else:
            text = banner.banner(ready, width=width, keys=self._keys, links=self._links)
        yield err(self._drawn(text, self._err_paint))

    def _summary(self, summary: Summary) -> Iterator[Piece]:
        from tiktok_hook.terminal import banner

        width = self._err_width() or 80
        text = banner.summary(summary, width=width, kept=self._history_stays)
        yield err(self._drawn(text, self._err_paint))

    def _labelled(self, label: str, style: str, text: str, hint: str = "") -> Iterator[Piece]:
        """A sentence behind a coloured label, wrapped below itself, and its hint."""
        from tiktok_hook.terminal.blocks import hint_lines
        from tiktok_hook.terminal.drawing import hanging, line

        width = self._err_width() or 80
        first, *more = text.split("\n")
        lead = line((f"{label}:", style), " ")
        drawn: list[RichText | Parts] = [*hanging(lead, first, width=width, indent=2)]
        drawn += [(each,) for each in more]
        drawn += hint_lines(hint, width, indent=2)
        yield err(self._drawn(drawn, self._err_paint))

    @classmethod
    def _fitted(cls, line: str, width: int | None, paint: Paint) -> str:
        """A line with its newline; wrapped below itself if the terminal is too narrow for it."""
        if width is None or columns(bare(line)) <= width:
            return line + "\n"
        from tiktok_hook.terminal.drawing import wrapped

        return cls._drawn(wrapped(line, width=width, indent=4), paint)

    @staticmethod
    def _drawn(text: "Iterable[RichText | Parts]", paint: Paint) -> str:
        from tiktok_hook.terminal.drawing import render

        return render(text, paint)
