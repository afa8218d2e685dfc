"""Reports failures of the receiver, once per series instead of once per request."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import BugFound, DeliveryStored, Notice, NotStored


class FailureReports:
    """Turns failures of the receiver into notices.

    Args:
        publish: Called with a `Notice` when a series of deliveries that cannot be stored begins and
            when it ends, and for each distinct bug.
    """

    def __init__(self, publish: Callable[[object], None]) -> None:
        self._publish = publish
        self._cannot_store = False
        self._bugs: set[str] = set()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """The handler of each event type, for `Bus.connect`."""
        return {
            DeliveryStored: self._stored,
            NotStored: self._not_stored,
            BugFound: self._bug_found,
        }

    def _not_stored(self, event: NotStored) -> None:
        if not self._cannot_store:
            self._cannot_store = True
            message = f"{event.message} TikTok is answered 503 and will send it again."
            self._publish(Notice(message, hint=event.hint, level="error"))

    def _bug_found(self, event: BugFound) -> None:
        error = event.error
        kind = f"{type(error).__name__} {traceback.extract_tb(error.__traceback__)[-1:]}"
        if kind not in self._bugs:
            self._bugs.add(kind)
            text = "".join(traceback.format_exception(error))
            self._publish(Notice(f"A bug in tiktok-hook: {text}", level="error"))

    def _stored(self, event: DeliveryStored) -> None:
        # Rejected deliveries have their own limits: storing one does not prove that accepted
        # deliveries can be stored.
        if self._cannot_store and not event.delivery.verdict.rejected:
            self._cannot_store = False
            self._publish(Notice("Deliveries are stored again.", level="info"))
