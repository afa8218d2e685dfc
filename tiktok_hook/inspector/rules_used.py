"""Which answer rule has answered which delivery, for as long as the session runs."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from tiktok_hook.bus import Handler
from tiktok_hook.delivery import DeliveryAnswered

MAX_REMEMBERED = 1000


class RulesUsed:
    """The answer rules of the newest deliveries; the history does not have them."""

    def __init__(self) -> None:
        self._rules: OrderedDict[int, tuple[str, str]] = OrderedDict()

    def handlers(self) -> Mapping[type[Any], Handler]:
        """Handlers by event class, for `Bus.connect`."""
        return {DeliveryAnswered: self._answered}

    def of(self, delivery_id: int) -> tuple[str, str] | None:
        """The filter and the answer of the rule; None if there was none, or it is not known."""
        return self._rules.get(delivery_id)

    def _answered(self, event: DeliveryAnswered) -> None:
        if event.rule is None:
            return
        self._rules[event.delivery.id] = event.rule
        if len(self._rules) > MAX_REMEMBERED:
            self._rules.popitem(last=False)
