"""Notices about unusual but valid conditions at the start of a session."""

from collections.abc import Sequence

from tiktok_hook import filters
from tiktok_hook.delivery import Notice
from tiktok_hook.filters import DeliveryFilter
from tiktok_hook.forward import is_loopback, join
from tiktok_hook.relay import Relay
from tiktok_hook.relay.options import RelayOptions
from tiktok_hook.store import QUEUE_MODES, HistoryReader
from tiktok_hook.terminal import words


def doubled_path(targets: Sequence[str], path: str) -> list[Notice]:
    """One notice per target that ends with the path of the Callback URL, which is added to it.

    Args:
        targets: As `parse_target` returned them.
        path: The path of the Callback URL; ``/`` adds nothing.
    """
    own = path.rstrip("/")
    notices = []
    for target in targets:
        base = target.partition("?")[0].rstrip("/")
        if own and base.endswith(own):
            text = (
                f"{path} is in --path and in the target: deliveries go to {join(base, path, '')}."
            )
            hint = f"Give the target as {base.removesuffix(own)}, or leave out --path."
            notices.append(Notice(text, hint))
    return notices


def exposed(host: str) -> list[Notice]:
    """A notice when the receiver listens where other machines reach it without the tunnel."""
    if is_loopback(f"http://[{host}]" if ":" in host else f"http://{host}"):
        return []
    return [
        Notice(
            f"The receiver listens on {host}: other machines can reach it too.",
            "Without --host only this machine can reach it.",
        )
    ]


def warnings(options: RelayOptions, *others: DeliveryFilter) -> list[Notice]:
    """One notice per filter of a route, an answer rule or `others` that is probably mistyped."""
    routes = [each.match for each in options.parsed_routes]
    used = [*others, *routes, *(each.match for each in options.parsed_answers)]
    return [Notice(text, hint) for match in used for text, hint in filters.doubts(match)]


def left_waiting(relay: Relay, history: HistoryReader) -> list[Notice]:
    """One notice per target with queued deliveries that this session will not forward."""
    notices = []
    for target in history.queue_targets():
        # Counted per mode, because this session may already be draining one of the queues.
        modes = [
            mode for mode in QUEUE_MODES if target not in relay.targets or mode != relay.queue_mode
        ]
        waiting = sum(history.pending_count(target, mode) for mode in modes)
        if waiting:
            what = words.plural(waiting, "delivery", "deliveries")
            text = f"Queued for {target} since an earlier session: {what}."
            hint = "tiktok-hook replay --pending sends them."
            if relay.queue_mode == "attached" and target not in relay.targets:
                hint = "They are forwarded once this target is named again."
            notices.append(Notice(text, hint, level="info"))
    return notices
