"""JSON Lines for programs: every record on stdout, notices for people on stderr."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tiktok_hook.delivery import (
    AppState,
    Attempt,
    Delivery,
    Notice,
    Ready,
    Summary,
    TunnelState,
    attempt_json,
    delivery_json,
    dump,
    timestamp,
)
from tiktok_hook.terminal import lines, words
from tiktok_hook.terminal.flood import LeftOut
from tiktok_hook.terminal.paint import PLAIN
from tiktok_hook.terminal.view import Piece, err, out


class JsonLines:
    """The view behind ``--format json``."""

    def __init__(self) -> None:
        self._tunnel: tuple[str, str | None] | None = None

    @property
    def holds(self) -> bool:
        """Never: programs get each record as it comes."""
        return False

    def draw(self, items: Sequence[object], dropped: int) -> Iterator[Piece]:
        """Make the lines of a batch; see `tiktok_hook.terminal.view.View`."""
        for item in items:
            yield from self._item(item)
        if dropped:
            yield err(
                f"Warning: {words.plural(dropped, 'line was', 'lines were')} left out: stdout is "
                "read too slowly. They are in the history: tiktok-hook events\n"
            )

    def rest(self) -> Iterator[Piece]:
        """Nothing."""
        return iter(())

    def _item(self, item: object) -> Iterable[Piece]:
        if isinstance(item, Delivery):
            return (out(_line("delivery", delivery_json(item))),)
        if isinstance(item, Attempt):
            return (out(_line("attempt", attempt_json(item))),)
        if isinstance(item, TunnelState):
            return self._tunnel_state(item)
        if isinstance(item, AppState):
            return (out(_line("app", app_json(item))),)
        if isinstance(item, LeftOut):
            return (out(_line("dropped", {item.subject: item.count})),)
        if isinstance(item, Notice):
            return (err(lines.notice_line(item, PLAIN) + "\n"),)
        if isinstance(item, Ready):
            return self._ready(item)
        if isinstance(item, Summary):
            return (out(_line("summary", summary_json(item))),)
        if isinstance(item, str):
            return (err(item if item.endswith("\n") else item + "\n"),)
        return ()

    def _tunnel_state(self, state: TunnelState) -> Iterable[Piece]:
        now = (state.state, state.url)
        # The same state comes again with every heartbeat.
        if state.state not in {"online", "reconnecting"} or now == self._tunnel:
            return ()
        self._tunnel = now
        return (out(_line("tunnel", tunnel_json(state))),)

    @staticmethod
    def _ready(ready: Ready) -> Iterable[Piece]:
        yield out(_line("ready", ready_json(ready)))
        if ready.self_check.result == "failed":
            failed = Notice("The self-check through the public URL failed.", ready.self_check.hint)
            yield err(lines.notice_line(failed, PLAIN) + "\n")


def ready_json(ready: Ready) -> dict[str, Any]:
    """The shape of ``ready``: said once, when deliveries can come."""
    return {
        "callback_url": ready.callback_url,
        "local_url": ready.local_url,
        "inspector_url": ready.inspector_url,
        "self_check": ready.self_check.result,
    }


def tunnel_json(state: TunnelState) -> dict[str, Any]:
    """The shape of ``tunnel``: the tunnel was lost, or is back."""
    return {
        "state": state.state,
        "url": state.url,
        "since": timestamp(state.since),
        "error": state.error,
    }


def app_json(state: AppState) -> dict[str, Any]:
    """The shape of ``app``: about a target, or about the command beside us."""
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


def _line(kind: str, shape: dict[str, Any]) -> str:
    return dump({"type": kind, **shape}).decode() + "\n"
