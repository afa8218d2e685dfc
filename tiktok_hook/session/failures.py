"""Reports failures of the receiver: once for a series, not once for each request."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import DeliveryStored, Notice, NotStored
from tiktok_hook.errors import StoreError


class FailureReports:
    """Publishes failures of the receiver.

    Args:
        publish: Called with `NotStored` for each delivery that was not stored, and with a `Notice`
            for the first of a series, for the end of it, and for each kind of bug.
    """

    def __init__(self, publish: Callable[[object], None]) -> None:
        self._publish = publish
        self._cannot_store = False
        self._bugs: set[str] = set()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """What to call with which event, for `Bus.connect`."""
        return {DeliveryStored: self._stored}

    def not_stored(self, error: StoreError) -> None:
        """Report that a delivery was answered 503."""
        self._publish(NotStored(str(error), error.hint))
        if not self._cannot_store:
            self._cannot_store = True
            message = f"{error} TikTok is answered 503 and will send it again."
            self._publish(Notice(message, hint=error.hint, level="error"))

    def bug(self, error: Exception) -> None:
        """Report an exception that is not an error of the user's, with its traceback."""
        kind = f"{type(error).__name__} {traceback.extract_tb(error.__traceback__)[-1:]}"
        if kind not in self._bugs:
            self._bugs.add(kind)
            text = "".join(traceback.format_exception(error))
            self._publish(Notice(f"A bug of tiktok-hook: {text}", level="error"))

    def _stored(self, event: DeliveryStored) -> None:
        # A rejected delivery may find room where an accepted one does not.
        if self._cannot_store and not event.delivery.verdict.refused:
            self._cannot_store = False
            self._publish(Notice("Deliveries are stored again.", level="info"))
