"""JSON Lines for programs: every record on stdout, notices for people on stderr."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tiktok_hook.delivery import (
    AppChanged,
    Attempt,
    AttemptEnded,
    Delivery,
    DeliveryAnswered,
    DeliveryStored,
    Notice,
    Ready,
    Skipped,
    Summary,
    TunnelChanged,
    answer_json,
    attempt_ended_json,
    delivery_json,
    dump,
    timestamp,
)
from tiktok_hook.sanitize import visible
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.view import Piece, err, out


class JsonLines:
    """The view behind ``--format json``."""

    def __init__(self) -> None:
        self._tunnel: tuple[str, str | None] | None = None
        self._is_ready = False
        # Deliveries without an answer yet, with the attempt that their answer is made of. A few
        # hundred at most: the receiver takes no more at a time.
        self._open: dict[int, tuple[Delivery, Attempt | None]] = {}
        self._writers: dict[type, Callable[[Any], Iterable[Piece]]] = {
            DeliveryStored: self._stored,
            DeliveryAnswered: self._answered,
            AttemptEnded: self._attempt_ended,
            Skipped: lambda event: _json("skipped", skipped_json(event)),
            TunnelChanged: self._tunnel_changed,
            AppChanged: lambda event: _json("app", app_json(event)),
            LeftOut: lambda event: _json("dropped", {event.subject: event.count}),
            Notice: lambda event: (err(_plain(event)),),
            Ready: self._ready,
            Summary: self._summary,
            str: lambda text: (err(text if text.endswith("\n") else text + "\n"),),
        }

    @property
    def holds(self) -> None:
        """None: programs get each record as it comes."""

    def draw(self, items: Sequence[object], dropped: int) -> Iterator[Piece]:
        """Make the lines of a batch; see `tiktok_hook.terminal.view.View`."""
        for item in items:
            yield from self._item(item)
        if dropped:
            yield from _json("dropped", {"lines": dropped})
            yield err(
                f"Warning: {words.plural(dropped, 'line was', 'lines were')} left out: stdout is "
                "read too slowly. They are in the history: tiktok-hook events\n"
            )

    def rest(self) -> Iterator[Piece]:
        """Nothing."""
        return iter(())

    def _item(self, item: object) -> Iterable[Piece]:
        writer = self._writers.get(type(item))
        return () if writer is None else writer(item)

    def _stored(self, event: DeliveryStored) -> Iterable[Piece]:
        delivery = event.delivery
        self._open[delivery.id] = delivery, None
        return _json("delivery", delivery_json(delivery.replace(status=None)))

    def _answered(self, event: DeliveryAnswered) -> Iterable[Piece]:
        delivery = event.delivery
        if delivery.id not in self._open:  # rejected, or too much at a time when it was stored
            yield from _json("delivery", delivery_json(delivery.replace(status=None)))
        _, attempt = self._open.pop(delivery.id, (delivery, None))
        yield from _json("answer", answer_json(delivery, attempt))

    def _attempt_ended(self, event: AttemptEnded) -> Iterable[Piece]:
        attempt = event.attempt
        if attempt.number == 1 and not attempt.replay and attempt.delivery_id in self._open:
            self._open[attempt.delivery_id] = self._open[attempt.delivery_id][0], attempt
        return _json("attempt", attempt_ended_json(event))

    def _summary(self, event: Summary) -> Iterable[Piece]:
        for delivery, attempt in self._open.values():  # the session ended before their answer
            yield from _json("answer", answer_json(delivery.replace(status=None), attempt))
        self._open.clear()
        yield from _json("summary", summary_json(event))

    def _tunnel_changed(self, event: TunnelChanged) -> Iterable[Piece]:
        now = (event.state, event.url)
        # Each heartbeat repeats the state, and `ready` stands for everything before it.
        if event.state not in {"online", "reconnecting"} or now == self._tunnel:
            return ()
        self._tunnel = now
        return _json("tunnel", tunnel_json(event)) if self._is_ready else ()

    def _ready(self, ready: Ready) -> Iterable[Piece]:
        self._is_ready = True
        yield from _json("ready", ready_json(ready))
        if ready.self_check.result == "failed":
            failed = Notice("The self-check through the public URL failed.", ready.self_check.hint)
            yield err(_plain(failed))


def ready_json(ready: Ready) -> dict[str, Any]:
    """The shape of ``ready``: printed once, when deliveries can arrive."""
    shape: dict[str, Any] = {
        "callback_url": ready.callback_url or None,
        "local_url": ready.local_url or None,
        "inspector_url": ready.inspector_url,
        "self_check": ready.self_check.result,
        "settings_from": list(ready.settings_from),
    }
    if ready.attached is not None:
        attached = ready.attached
        shape |= {"app": attached.app, "filter": attached.match, "cursor": attached.cursor}
    return shape


def tunnel_json(state: TunnelChanged) -> dict[str, Any]:
    """The shape of ``tunnel``: the tunnel was lost, or is back."""
    return {
        "state": state.state,
        "url": state.url,
        "since": timestamp(state.since),
        "error": state.error,
    }


def app_json(state: AppChanged) -> dict[str, Any]:
    """The shape of ``app``: about a target, or about the command alongside."""
    shape: dict[str, Any] = {"state": state.state}
    if state.target is not None:
        shape["target"] = state.target
    if state.target is None or state.exit_code is not None:
        shape["exit_code"] = state.exit_code
    if state.detail:
        shape["detail"] = state.detail
    return shape


def summary_json(summary: Summary) -> dict[str, Any]:
    """The shape of ``summary``: the counts of the exit screen."""
    shape = asdict(summary)
    shape["started_at"] = timestamp(summary.started_at)
    shape["seconds"] = round(summary.seconds, 3)
    shape["offline_seconds"] = round(summary.offline_seconds, 3)
    if summary.p95_ms is not None:
        shape["p95_ms"] = round(summary.p95_ms, 3)
    return shape


def _plain(notice: Notice) -> str:
    """Return a notice in plain lines, for the log of a program."""
    label, _ = lines.notice_style(notice)
    message = visible(notice.message, keep_newlines=notice.level == "error").rstrip("\n")
    hint = f"\n  {visible(notice.hint)}" if notice.hint else ""
    return f"{label}: {message}{hint}\n"


def skipped_json(event: Skipped) -> dict[str, Any]:
    """The shape of ``skipped``: an accepted delivery that is not forwarded, and why."""
    return {"delivery_id": event.delivery.id, "reason": event.reason}


def _json(kind: str, shape: Mapping[str, Any]) -> tuple[Piece]:
    return (out(dump({"type": kind, **shape}).decode() + "\n"),)
